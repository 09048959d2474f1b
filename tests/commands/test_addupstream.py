import pytest
from django.core.management import CommandError, call_command

from routing.catalog.loader import load_catalog
from routing.models import Route, Upstream

GIVEN = ["--family=deepseek", "--base-url=https://api.example.com/v1", "--model=m"]


@pytest.fixture(autouse=True)
def catalogue(db):
    load_catalog()


def test_it_says_what_it_did(capsys, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "sk-canary-7f3a")
    call_command("addupstream", *GIVEN, "--credential-env=SOME_API_KEY", "--priority=2", "--weight=0")
    call_command("addupstream", *GIVEN, "--credential-env=SOME_API_KEY")
    added, again = capsys.readouterr().out.splitlines()
    assert added == "api-example-com · m added to pool deepseek: priority 2, weight 0"
    assert again == "api-example-com · m was already in pool deepseek: priority 2, weight 0"
    assert Route.objects.get().upstream.credential_env == "SOME_API_KEY"


def test_it_notes_a_variable_that_is_not_set(capsys, monkeypatch):
    monkeypatch.delenv("SOME_API_KEY", raising=False)
    call_command("addupstream", *GIVEN, "--credential-env=SOME_API_KEY")
    assert "SOME_API_KEY is not set here" in capsys.readouterr().out


def test_it_keeps_what_the_provider_asks(capsys):
    call_command("addupstream", *GIVEN, "--cost-input=2", "--cost-output=8.5", "--cost-currency=cny")
    route = Route.objects.get()
    assert (route.cost_input_micros, route.cost_cached_micros, route.cost_output_micros) == (2_000_000, None, 8_500_000)
    assert route.cost_currency == "CNY"
    assert "add an exchange rate of CNY" in capsys.readouterr().out
    call_command("addupstream", *GIVEN, "--weight=7")
    assert Route.objects.get().cost_output_micros == 8_500_000


@pytest.mark.parametrize(
    "wrong",
    [
        ["--cost-input=2"],
        ["--cost-currency=CNY"],
        ["--cost-input=1", "--cost-output=1", "--cost-cached=2"],
        ["--cost-input=1", "--cost-output=1", "--cost-currency=yuan"],
        ["--cost-input=-1", "--cost-output=1"],
        ["--cost-input=1", "--cost-output=0.0000001"],
    ],
)
def test_a_senseless_cost_changes_nothing(wrong):
    with pytest.raises(CommandError):
        call_command("addupstream", *GIVEN, *wrong)
    assert not Upstream.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    ["--family=x", "--base-url=x", "--model=", "--dialect=x", "--credential-env=-", "--priority=0", "--weight=1.5"],
)
def test_a_wrong_input_changes_nothing(wrong):
    with pytest.raises(CommandError):
        call_command("addupstream", *GIVEN, wrong)
    assert not Upstream.objects.exists()


def test_without_an_address_it_takes_the_dialects_first(capsys):
    call_command("addupstream", "--family=kimi", "--model=m", "--dialect=Kimi")
    assert Upstream.objects.get().base_url == "https://api.moonshot.ai/v1"
    added, note = capsys.readouterr().out.splitlines()
    assert added.startswith("api-moonshot-ai · m added to pool kimi")
    assert note == (
        "note: at https://api.moonshot.ai/v1 (international);"
        " --base-url takes others: https://api.moonshot.cn/v1 (mainland China)"
    )


@pytest.mark.parametrize("where", [[], ["--base-url=https://api.moonshot.ai/v1"]])
def test_a_dialect_that_is_not_named_is_that_of_the_address_or_the_family(capsys, where):
    call_command("addupstream", "--family=kimi", "--model=m", *where)
    assert Upstream.objects.get().dialect == "kimi"
    assert "in the dialect kimi, by its address" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("dialect", "message"), [("vllm", "give the base URL of yours"), ("kimmi", "did you mean 'kimi'")]
)
def test_a_dialect_without_an_address_needs_one(dialect, message):
    with pytest.raises(CommandError, match=message):
        call_command("addupstream", "--family=kimi", "--model=m", f"--dialect={dialect}")
    assert not Upstream.objects.exists()


def test_it_keeps_what_a_route_carries():
    call_command("addupstream", *GIVEN, "--context=32768", "--longest-answer=4096", "--no-images", "--no-json-schema")
    call_command("addupstream", *GIVEN, "--weight=7")
    route = Route.objects.get()
    assert (route.json_mode, route.json_schema) == (True, False)
    assert (route.context_length, route.max_output_tokens, route.tools, route.images) == (32768, 4096, True, False)
    with pytest.raises(CommandError, match="longer than the context"):
        call_command("addupstream", *GIVEN, "--context=1000", "--longest-answer=4096")
