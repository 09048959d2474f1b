"""The Playground's call: the same journey and the same rules as `/v1`, for a signed-in person over a real socket."""

import asyncio

import pytest
from django.utils import timezone

from accounts import keys
from accounts.models import APIKey
from billing.models import RefusalCount, UsageRecord
from playground import bodies, run
from routing import gateway as gateway_module
from routing.runtime import get_runtime
from tests.gateway.callers import eventually


@pytest.fixture
def playground_key(member):
    return keys.playground_key(organization=member.organization, user=member.user)


def test_it_is_answered_and_charged_as_v1_is(visitor, add_route, wallet, member):
    add_route("ok")
    reply = visitor.ask()
    assert (reply.status, reply.content, reply.is_done) == (200, "Hello from upstream", True)
    record = UsageRecord.objects.get(organization=member.organization)
    assert (record.user, record.charge_nanos) == (member.user, wallet.spent)


def test_a_revoked_playground_key_is_refused(visitor, playground_key):
    keys.revoke_key(key=playground_key)
    reply = visitor.ask()
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")


def test_an_expired_playground_key_is_refused(visitor, playground_key):
    APIKey.objects.filter(pk=playground_key.pk).update(expires_at=timezone.now())
    assert visitor.ask().error["code"] == "invalid_api_key"


def test_its_requests_per_minute_count_and_its_refusals_too(visitor, playground_key, add_route):
    add_route("ok")
    APIKey.objects.filter(pk=playground_key.pk).update(requests_per_minute=1)
    assert visitor.ask().status == 200
    reply = visitor.ask()
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    eventually(lambda: RefusalCount.objects.filter(key=playground_key, code="rate_limit_exceeded").exists())


def test_a_conversation_with_pictures_fits(visitor, add_route, upstream):
    add_route("ok")
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + "A" * 4 * 2**20}}
    assert visitor.ask(messages=[{"role": "user", "content": [picture]}]).is_done
    assert upstream.requests[-1].body["messages"][0]["content"] == [picture]


def test_it_answers_nothing_while_changes_can_not_be_seen(visitor, monkeypatch):
    monkeypatch.setattr(type(get_runtime().watch), "is_blind", True)
    reply = visitor.ask()
    assert (reply.status, reply.error["code"]) == (503, "ledger_unavailable")


def test_whatever_breaks_the_page_gets_json(visitor, monkeypatch):
    monkeypatch.setattr(run, "playground_key", None)
    reply = visitor.ask()
    assert (reply.status, reply.error["code"]) == (500, "internal_error")


NO_CALLS = [
    "",
    "{",
    "[]",
    "null",
    "7",
    "NaN",
    "\0",
    "[" * 100_000,
    '{"model": 7}',
    '{"model": "kimi", "messages": "Hi"}',
]


@pytest.mark.parametrize("content", NO_CALLS)
def test_what_is_no_call_is_refused_and_holds_nothing(visitor, wallet, content):
    reply = visitor.send(content)
    assert reply.status == 400 and reply.error["message"]
    assert (wallet.spent, wallet.open_holds) == (0, 0)


@pytest.mark.parametrize("model", ["", "nobody", "a\0b", "<b>", "x" * 20_000])
def test_a_model_that_is_none_is_not_found(visitor, wallet, model):
    reply = visitor.ask(model=model)
    assert reply.status in (400, 404) and reply.error["message"]
    assert (wallet.spent, wallet.open_holds) == (0, 0)


def test_a_conversation_that_is_too_long_is_told_so(visitor, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BODY", 100)
    reply = visitor.ask(messages=[{"role": "user", "content": "long " * 100}])
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


def test_a_person_has_so_many_answers_at_once(visitor, add_route, upstream, monkeypatch):
    monkeypatch.setattr(run, "MOST_RUNNING", 2)
    add_route("held")
    clients = [visitor.open(), visitor.open()]
    for client in clients:
        client.read_until(b"Hello")
    reply = visitor.ask()
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    upstream.open_gate()
    for client in clients:
        client.read_until(b"[DONE]")
        client.close()
    eventually(lambda: not run.running)
    assert visitor.ask().is_done


def test_calls_that_come_at_once_are_counted_at_once():
    class Idle:
        async def run(self):
            pass

    async def count_while_waiting():
        starting = asyncio.ensure_future(run._start(Idle(), run.PageClient(), asyncio.Event(), 7))
        await asyncio.sleep(0)
        counted = run.running[7]
        await starting
        return counted

    assert asyncio.run(count_while_waiting()) == 1
    assert not run.running


# --- leaving ---------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch):
    """Wait less for a provider's count than production does."""
    monkeypatch.setattr(gateway_module, "USAGE_PATIENCE_SECONDS", 0.2)


def find_record(member):
    return eventually(lambda: UsageRecord.objects.filter(organization=member.organization).first())


def is_blocked():
    journeys = list(get_runtime().journeys)
    return journeys and all(journey._client.blocked_since for journey in journeys)


def test_leaving_before_content_costs_nothing(impatient, visitor, add_route, upstream, member, wallet):
    add_route("slow")
    client = visitor.open()
    eventually(lambda: upstream.requests)
    client.close()
    record = find_record(member)
    assert (record.status, record.ended_by, record.charge_nanos) == ("aborted", "client", 0)
    assert wallet.row.held_nanos == 0
    assert upstream.requests[0].closed.wait(5)


def test_leaving_in_mid_stream_is_charged_for_what_was_delivered(
    impatient, visitor, add_route, upstream, member, wallet
):
    add_route("held")
    client = visitor.open()
    client.read_until(b"Hello")
    client.close()
    record = find_record(member)
    assert (record.status, record.ended_by, record.count_source) == ("aborted", "client", "estimate")
    assert record.charge_nanos == wallet.spent > 0


def test_leaving_while_nothing_more_can_be_sent_ends_the_hold(impatient, visitor, add_route, upstream, member, wallet):
    add_route("endless")
    client = visitor.open()
    eventually(is_blocked)
    client.close()
    record = find_record(member)
    assert (record.status, record.ended_by) == ("aborted", "client")
    assert wallet.row.held_nanos == 0
    assert upstream.requests[0].closed.wait(5)


def test_a_page_that_does_not_read_is_given_up(visitor, add_route, member, settings):
    settings.CLIENT_STALL_SECONDS = 0.5
    add_route("endless")
    client = visitor.open()
    assert find_record(member).ended_by == "client"
    client.close()


def test_nothing_waits_on_a_page_that_was_left(visitor, add_route, upstream, member, settings):
    settings.CLIENT_STALL_SECONDS = 3
    add_route("flood", bills_after_abort=True)
    client = visitor.open()
    eventually(is_blocked)
    client.close()
    record = find_record(member)
    assert (record.ended_by, record.count_source) == ("client", "provider")
    assert upstream.requests[0].done.is_set()


def test_a_page_that_has_its_answer_is_not_drained(visitor, add_route):
    add_route("ok", bills_after_abort=True)
    for _ in range(3):
        assert visitor.ask().is_done
    eventually(lambda: not get_runtime().journeys)
    assert not get_runtime().drains
