"""What an upstream says of itself; every failure is one line."""

import shlex

import pytest
from django.core.management import CommandError, call_command

from routing import pools
from routing.catalog.loader import load_catalog
from routing.models import Route, Upstream
from tests.upstream import BEHAVIOURS, Answer, refused_port
from tests.upstream import Upstream as UpstreamServer

SECRET = "sk-canary-7f3a"
INTERNLM = {"id": "internlm/internlm3-8b-instruct", "owned_by": "vllm", "max_model_len": 32_768}


@pytest.fixture(autouse=True)
def catalogue(db, settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    load_catalog()


@pytest.fixture(scope="module")
def server():
    server = UpstreamServer()
    yield server
    server.stop()


@pytest.fixture
def serve(server, monkeypatch):
    """Let the server answer every question for its models like this; return its base URL."""

    def answer_with(content, status=200, **headers):
        async def answer(answer: Answer) -> None:
            answer.json(status, content, **headers)

        monkeypatch.setitem(BEHAVIOURS, "list", answer)
        return f"{server.address}/list"

    return answer_with


def inspect(capsys, *arguments):
    call_command("inspectupstream", *arguments)
    return capsys.readouterr().out.splitlines()


def refused(*arguments):
    with pytest.raises(CommandError) as caught:
        call_command("inspectupstream", *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_says_what_ones_own_server_serves(capsys, serve):
    address = serve({"object": "list", "data": [{"id": "night-reader", "owned_by": "vllm"}, INTERNLM]})
    first, unknown, known, _, line = inspect(capsys, "--base-url", address)
    assert first == f"{address} lists 2 models, dialect vllm:"
    assert unknown.split(maxsplit=1) == ["night-reader", "context not told"]
    assert known.split(maxsplit=1) == ["internlm/internlm3-8b-instruct", "context 32768"]
    assert "--family internlm " in line
    assert not Upstream.objects.exists()


def test_the_line_that_it_proposes_works(capsys, serve):
    address = serve({"data": [INTERNLM]})
    *_, line = inspect(capsys, "--base-url", address)
    call_command(*shlex.split(line.partition("manage.py ")[2]))
    route = Route.objects.get()
    assert (route.pool.model.slug, route.upstream.dialect, route.context_length) == ("internlm3", "vllm", 32_768)
    assert (route.upstream.base_url, route.upstream_model) == (address, INTERNLM["id"])


@pytest.mark.parametrize(
    "content",
    [
        {"data": [{"id": "m", "context_length": 4096, "max_output_length": 512}]},
        {"models": [{"model": "m", "max_input_length": 4096, "max_output_tokens": 512}]},
        [{"id": "m", "total_tokens": 4096, "max_completion_tokens": 512}, {"id": "\u001b[31m"}, {"id": 7}, None],
    ],
)
def test_lists_of_other_forms_are_read(capsys, serve, content):
    first, model, *_ = inspect(capsys, "--base-url", serve(content))
    assert "lists 1 model, dialect openai" in first
    assert model.split(maxsplit=1) == ["m", "context 4096, longest answer 512"]


def test_what_a_server_says_is_quoted_in_the_line(capsys, serve):
    *_, line = inspect(capsys, "--base-url", serve({"data": [{"id": "x; touch /tmp/y"}]}))
    assert "--model 'x; touch /tmp/y'" in line


def test_it_shows_the_credential_that_it_is_told_to(capsys, serve, server, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    *_, line = inspect(capsys, "--base-url", serve({"data": [INTERNLM]}), "--credential-env=MY_KEY")
    asked = server.requests[-1]
    assert (asked.method, asked.path) == ("GET", "/list/models")
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert "--credential-env MY_KEY" in line
    assert SECRET not in line


def test_one_that_is_there_is_asked_with_its_own_credential(capsys, serve, server):
    given = {"family": "internlm", "upstream_model": "m", "base_url": serve({"data": [INTERNLM]})}
    slug = pools.add_upstream(**given, credential=SECRET).upstream.slug
    *_, last = inspect(capsys, "--upstream", slug)
    assert server.requests[-1].headers["authorization"] == f"Bearer {SECRET}"
    assert "in the admin" in last


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (401, {"error": "Unauthorized"}, "refuses the credential, or asks for one (401)"),
        (404, b"not found", "no list of models (404); the base URL is what stands before /chat/completions"),
        (503, {"message": "loading"}, "(503)|status 503"),
        (200, b"<html>Hello</html>", "not JSON"),
        (200, {"object": "list"}, "no list of models"),
        (200, {"data": []}, "lists no models"),
    ],
)
def test_an_answer_that_tells_nothing_is_one_line(serve, status, content, message):
    address = serve(content, status)
    problem = refused("--base-url", address)
    assert address in problem
    assert any(part in problem for part in message.split("|"))


def test_a_redirect_is_not_followed(serve, server):
    address = serve(b"moved", 302, location="http://169.254.169.254/")
    asked = len(server.requests)
    assert "redirects elsewhere" in refused("--base-url", address)
    assert len(server.requests) == asked + 1


def test_a_server_that_is_not_there_is_named():
    address = f"http://127.0.0.1:{refused_port()}/v1"
    assert refused("--base-url", address) == f"{address}: nothing listens there."


def test_the_gateways_guard_counts_here_too(settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    assert "SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS=1" in refused("--base-url=http://127.0.0.1:1/v1")
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    assert "never allowed" in refused("--base-url=http://169.254.169.254/latest")


def test_a_host_name_is_guarded_by_what_it_resolves_to(settings, monkeypatch):
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    monkeypatch.setattr(pools, "check_address", lambda text: text)  # as if the name had been a public one when saved
    assert "SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS=1" in refused("--base-url=http://localhost:1/v1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --base-url or --upstream"),
        (["--dialect=vllm"], "give the base URL"),
        (["--dialect=vlm"], "did you mean 'vllm'"),
        (["--base-url=nonsense"], "must begin with http"),
        (["--base-url=https://a.com", "--credential-env=SECRET_KEY"], "belongs to this site"),
        (["--base-url=http://127.0.0.1:1", "--credential-env=NOT_SET"], "is not set here"),
        (["--upstream=none"], "no upstream 'none'"),
        (["--upstream=x", "--dialect=kimi"], "stands alone"),
    ],
)
def test_a_wrong_input_is_one_line(arguments, message):
    assert message in refused(*arguments)
