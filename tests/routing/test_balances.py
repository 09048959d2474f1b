"""What is left at providers: read over a real socket, kept, and an alarm below the line."""

from decimal import Decimal

import pytest

from routing import balances, tasks
from routing.dialects.base import Balance
from routing.models import Provider, Upstream, UpstreamHealth
from tests.upstream import Upstream as UpstreamServer
from tests.upstream import refused_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    made = UpstreamServer()
    yield made
    made.stop()


@pytest.fixture
def told(monkeypatch):
    texts = []
    monkeypatch.setattr(balances, "alarm", lambda name, text: texts.append(text))
    return texts


@pytest.fixture
def add(server, monkeypatch):
    """Add an upstream with a credential that speaks this dialect."""
    monkeypatch.setenv("SOME_API_KEY", "sk-canary-7f3a")

    def make(dialect, base_url="", **fields):
        provider, _ = Provider.objects.get_or_create(slug="p", name="P")
        address = base_url or server.address
        fields = {"credential_env": "SOME_API_KEY", **fields}
        return Upstream.objects.create(slug=dialect, provider=provider, base_url=address, dialect=dialect, **fields)

    return make


@pytest.mark.parametrize(
    ("dialect", "path", "body", "left", "currency"),
    [
        (
            "deepseek",
            "/user/balance",
            b'{"balance_infos": [{"currency": "CNY", "total_balance": "110.00"}]}',
            "110",
            "CNY",
        ),
        ("kimi", "/users/me/balance", b'{"data": {"available_balance": 49.58894}}', "49.5889", "CNY"),
        ("siliconflow", "/user/info", b'{"data": {"totalBalance": "88.88"}}', "88.88", "CNY"),
        ("openrouter", "/credits", b'{"data": {"total_credits": 100.5, "total_usage": 25.75}}', "74.75", "USD"),
    ],
)
def test_a_balance_is_read_as_its_provider_writes_it(server, add, dialect, path, body, left, currency):
    upstream = add(dialect)
    server.pages[path] = (200, body)
    tasks.read_balances()
    health = UpstreamHealth.objects.get(upstream=upstream)
    assert (health.balance, health.balance_currency, health.balance_problem) == (Decimal(left), currency, "")
    assert server.requests[0].headers["authorization"] == "Bearer sk-canary-7f3a"
    assert (health.failures, health.rests_until) == (0, None)


@pytest.mark.parametrize(("line", "alarms"), [("20", 1), ("10", 0), (None, 0)])
def test_below_its_line_a_balance_is_an_alarm(server, add, told, line, alarms):
    add("kimi", balance_alarm=line)
    server.pages["/balance"] = (200, b'{"data": {"available_balance": 10}}')
    tasks.read_balances()
    assert len(told) == alarms


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ((500, b"<html>"), "it answered with status 500"),
        ((200, b"<html>"), "its answer was not JSON"),
        ((200, b"[]"), "its answer held no balance"),
        ((200, b'{"data": {"available_balance": true}}'), "its answer held no balance"),
        ((200, b'{"data": {"available_balance": "much"}}'), "its balance is not a number"),
        ((200, b'{"data": {"available_balance": "NaN"}}'), "its balance makes no sense"),
        ((200, b'{"data": {"available_balance": 1e300}}'), "its balance makes no sense"),
        ((307, b""), "it answered with status 307"),
    ],
)
def test_what_is_no_balance_is_noted_and_the_last_one_stays(server, add, page, problem):
    upstream = add("kimi")
    server.pages["/balance"] = (200, b'{"data": {"available_balance": 10}}')
    tasks.read_balances()
    server.pages["/balance"] = page
    tasks.read_balances()
    health = UpstreamHealth.objects.get(upstream=upstream)
    assert (health.balance, health.balance_problem) == (10, problem)


def test_an_upstream_that_is_away_is_noted(add):
    upstream = add("kimi", f"http://127.0.0.1:{refused_port()}")
    tasks.read_balances()
    assert UpstreamHealth.objects.get(upstream=upstream).balance_problem == "could not connect"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_inside_the_site_is_not_asked(server, add, settings, host):
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    upstream = add("kimi", server.address.replace("127.0.0.1", host))
    tasks.read_balances()
    assert "not allowed" in UpstreamHealth.objects.get(upstream=upstream).balance_problem
    assert server.requests == []


def test_without_a_credential_or_a_balance_nobody_is_asked(server, add):
    add("kimi", credential_env="NOT_SET_ANYWHERE")
    add("glm")
    tasks.read_balances()
    assert server.requests == []


def test_at_an_international_address_it_is_dollars(add):
    from routing import dialects

    upstream = add("kimi", "https://api.moonshot.ai/v1")
    assert balances._currency_at(upstream, dialects.get("kimi")) == "USD"
    assert balances.find_balance({"a": "-3"}, Balance("/x", ("a",)), "USD") == (-3, "USD")
