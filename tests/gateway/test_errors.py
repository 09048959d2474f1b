"""Each code in the list of errors is one a client can read, and can be met."""

import pytest

from routing.errors import ERRORS, MAX_RETRY_AFTER, GatewayError
from tests.gateway.callers import read_until
from tests.gateway.conftest import Wallet, in_force

LATER = {"content_filter"}
"""Codes whose feature is still to come: no way leads to them yet."""
CLAIM = {"idempotency-key": "order-1"}


@pytest.mark.parametrize("code", ERRORS)
def test_each_code_has_a_status_a_text_and_a_cure(code):
    kind = ERRORS[code]
    assert 400 <= kind.status < 600
    assert kind.message.endswith(".")
    assert kind.cure.endswith(".")
    assert code == code.lower()


@pytest.mark.parametrize("code", ERRORS)
def test_each_code_says_whether_to_try_again(code):
    headers = dict(GatewayError(code, retry_after=10_000).headers())
    if ERRORS[code].may_retry:
        assert headers == {b"x-should-retry": b"true", b"retry-after": str(MAX_RETRY_AFTER).encode()}
    else:
        assert headers == {b"x-should-retry": b"false"}


def spend_everything(site):
    return site.make_caller(daily_budget_nanos=1).chat()


def from_elsewhere(site):
    return site.make_caller(allowed_addresses=["203.0.113.1"]).chat()


def closed(site):
    caller = site.make_caller()
    type(site.member.organization).objects.filter(pk=site.member.organization_id).update(
        closed_at=site.member.created_at
    )
    in_force()
    return caller.chat()


def plain(site):
    site.settings.SECURE = True
    return site.caller.chat()


def too_often(site):
    caller = site.make_caller(requests_per_minute=1)
    return [caller.chat(), caller.chat()][-1]


def too_slow(site):
    site.settings.FIRST_BYTE_SECONDS = site.settings.FIRST_BYTE_THINKING_SECONDS = 0.1
    site.add_route("silent")
    return site.caller.chat(stream=True)


def body_too_slow(site):
    import socket

    site.settings.BODY_SECONDS = 0.05
    with socket.create_connection(("127.0.0.1", site.gateway.port)) as client:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {site.caller.secret}\r\n"
        client.sendall(head.encode() + b"content-length: 100\r\n\r\n{")
        client.settimeout(10)
        return RawReply(client.recv(65_536))


class RawReply:
    def __init__(self, data):
        import json

        head, _, body = data.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ")[1])
        self.error = json.loads(body)["error"]
        lines = [line.decode().partition(": ") for line in head.split(b"\r\n")[1:]]
        self.headers = {name.lower(): value for name, _, value in lines}


def too_many_bytes(site):
    site.settings.BODIES_IN_FLIGHT_BYTES = 10
    return site.caller.chat()


def ledger_away(site):
    from routing.runtime import get_runtime

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(get_runtime().watch), "is_blind", True)
        return site.caller.chat()


def draining(site):
    from routing.runtime import get_runtime

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(get_runtime(), "drain_until", 10.0**12)
        return site.caller.chat()


def broken(site):
    from routing import gateway

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "select_routes", None)
        return site.caller.chat()


def resting(site):
    site.add_route("resting")
    return [site.caller.chat(), site.caller.chat()][-1]


def asked_twice_at_once(site):
    site.add_route("held")
    with site.caller.streaming(CLAIM) as response:
        read_until(response.iter_lines(), "Hello")
        return site.caller.chat(CLAIM, stream=True)


def asked_otherwise(site):
    site.add_route("ok")
    return [site.caller.chat(CLAIM), site.caller.chat(CLAIM, max_tokens=1)][-1]


def with_route(behaviour):
    def ask(site):
        site.add_route(behaviour)
        return site.caller.chat()

    return ask


WAYS = {
    "invalid_request": lambda site: site.caller.post("{"),
    "context_length_exceeded": with_route("too-long"),
    "unsupported_parameter": lambda site: site.caller.chat(service_tier="flex"),
    "invalid_api_key": lambda site: site.stranger.chat(),
    "insufficient_quota": lambda site: site.poor.chat(),
    "budget_exceeded": spend_everything,
    "model_not_allowed": lambda site: site.make_caller(families=["kimi"]).chat(),
    "address_not_allowed": from_elsewhere,
    "organization_closed": closed,
    "https_required": plain,
    "model_not_found": lambda site: site.caller.chat(model="nothing"),
    "model_not_served": lambda site: site.caller.chat(model=site.unserved),
    "unknown_endpoint": lambda site: site.caller.get("/v1/nothing"),
    "method_not_allowed": lambda site: site.caller.get("/v1/chat/completions"),
    "body_timeout": body_too_slow,
    "idempotency_conflict": asked_twice_at_once,
    "idempotency_mismatch": asked_otherwise,
    "request_too_large": lambda site: site.caller.post(b" " * (32 * 2**20 + 1)),
    "rate_limit_exceeded": too_often,
    "internal_error": broken,
    "upstream_error": with_route("refuse-500"),
    "no_healthy_route": resting,
    "overloaded": too_many_bytes,
    "ledger_unavailable": ledger_away,
    "shutting_down": draining,
    "upstream_timeout": too_slow,
}


class Site:
    """Everything that the ways to an error need."""

    def __init__(self, **parts):
        self.__dict__.update(parts)


@pytest.fixture
def site(gateway, settings, member, wallet, make_caller, stranger, add_route, unserved, http_client):
    import uuid

    from accounts import keys, people
    from tests.gateway.callers import Caller

    poor = people.ensure_member(email=f"{uuid.uuid4().hex}@example.com")[0]
    _, secret = keys.create_key(organization=poor.organization, created_by=poor.user, name="poor")
    return Site(
        gateway=gateway,
        settings=settings,
        member=member,
        make_caller=make_caller,
        caller=make_caller(),
        stranger=stranger,
        add_route=add_route,
        unserved=unserved,
        poor=Caller(http_client, gateway.url, secret),
    )


@pytest.mark.parametrize("code", WAYS)
def test_each_code_can_be_met(site, code):
    reply = WAYS[code](site)
    assert (reply.status, reply.error["code"]) == (ERRORS[code].status, code)
    assert reply.error["type"] == ERRORS[code].type
    assert reply.error["message"]
    assert reply.error["request_id"] == reply.headers["x-request-id"]
    assert reply.error["docs_url"].endswith(f"/docs/errors/#{code}")
    assert reply.headers["x-should-retry"] in ("true", "false")


def test_no_code_is_left_out():
    assert WAYS.keys() | LATER == ERRORS.keys()


def test_a_fault_of_ours_tells_nothing_of_itself(site):
    assert "select_routes" not in str(broken(site).error)


def test_wallets_are_made_once(member):
    assert Wallet(member).row.pk == Wallet(member).row.pk
