"""Idempotency-Key: asked again, the same answer comes again, and nothing is charged."""

import logging
import time
import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import OperationalError
from django.utils import timezone

from billing import sweep
from billing.models import Hold, IdempotentAnswer, UsageRecord
from routing.dialects.base import Meaning, UpstreamFault
from routing.runtime import get_runtime
from tests.gateway.callers import RawClient, eventually, find_record, read_until
from tests.gateway.conftest import Wallet
from tests.gateway.crowd import Heard, ask_at_once

CLAIM = {"idempotency-key": "order-1"}
CANARY = "canary-5d41402abc4b2a76"
BOTH = pytest.mark.parametrize("stream", [True, False])


def answers_of(wallet):
    return IdempotentAnswer.objects.filter(key__organization=wallet.organization)


def records_of(wallet):
    return UsageRecord.objects.filter(organization=wallet.organization)


def is_replayed(reply):
    return reply.headers.get("x-smartoken-replayed") == "true"


@pytest.mark.parametrize(
    "body", [{}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, {"n": 2}]
)
def test_the_same_answer_comes_again_and_is_charged_once(caller, add_route, upstream, wallet, body):
    add_route("ok")
    first, second = caller.chat(CLAIM, **body), caller.chat(CLAIM, **body)
    assert (first.status, second.status) == (200, 200)
    assert second.text == first.text
    assert second.usage["cost"] == 0.0000105
    assert second.headers["content-type"] == first.headers["content-type"]
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert second.headers["x-smartoken-original-request"] == first.request_id != second.request_id
    assert (len(upstream.requests), records_of(wallet).count(), wallet.spent) == (1, 1, 10_500)


@BOTH
def test_a_replay_tells_what_holds_for_the_answer(make_caller, wallet, add_route, stream):
    caller = make_caller(daily_budget_nanos=10**9)
    asked = {**CLAIM, "origin": "https://app.example.com"}
    first, second = [caller.chat(asked, stream=stream, user="u1") for _ in range(2)]
    for name in ("x-smartoken-demo", "x-smartoken-dropped", "x-smartoken-output-limit"):
        assert second.headers[name] == first.headers[name]
    assert second.headers["x-smartoken-daily-left-usd"]
    assert "x-smartoken-replayed" in second.headers["access-control-expose-headers"]


def test_another_body_is_refused(caller, add_route, upstream, wallet):
    add_route("ok")
    caller.chat(CLAIM)
    reply = caller.chat(CLAIM, temperature=1)
    assert (reply.status, reply.error["code"]) == (422, "idempotency_mismatch")
    assert reply.headers["x-should-retry"] == "false"
    assert len(upstream.requests) == 1


def test_another_name_or_key_is_another_request(caller, make_caller, add_route, wallet):
    add_route("ok")
    replies = [caller.chat(CLAIM), caller.chat({"idempotency-key": "order-2"}), make_caller().chat(CLAIM)]
    assert not any(is_replayed(reply) for reply in replies)
    assert wallet.spent == 3 * 10_500


@pytest.mark.parametrize("name", [b"", b"n" * 256, b"caf\xc3\xa9", b"tab\tbed"])
def test_a_name_that_makes_no_sense_is_named(caller, add_route, name):
    add_route("ok")
    reply = caller.post('{"model": "deepseek", "messages": [{"role": "user", "content": "Hi"}]}')
    assert reply.status == 200
    reply = caller.chat({"idempotency-key": name})
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert reply.error["param"] == "Idempotency-Key"


@BOTH
def test_while_the_first_runs_others_are_told_to_wait(caller, add_route, upstream, wallet, stream):
    add_route("held")
    client = RawClient(caller, CLAIM, stream=stream)
    eventually(lambda: upstream.requests)
    reply = caller.chat(CLAIM, stream=stream)
    assert (reply.status, reply.error["code"]) == (409, "idempotency_conflict")
    assert (reply.headers["x-should-retry"], reply.headers["retry-after"]) == ("true", "2")
    upstream.open_gate()
    eventually(lambda: records_of(wallet).exists())
    assert caller.chat(CLAIM, stream=stream).content == "Hello from upstream"
    assert wallet.spent == 10_500
    client.close()


@BOTH
def test_many_at_once_are_one_debit(caller, add_route, upstream, wallet, stream):
    add_route("ok")
    heard = [Heard() for _ in range(20)]
    ask_at_once([caller.url], caller.secret, heard, claim="order-1", stream=stream)
    assert {one.status for one in heard} <= {200, 409}
    assert len({one.text for one in heard if one.status == 200}) == 1
    assert (len(upstream.requests), wallet.spent) == (1, 10_500)


# --- clients that leave ------------------------------------------------------


@pytest.mark.parametrize(("behaviour", "stream"), [("slow", True), ("silent", True), ("held", False)])
def test_leaving_before_content_does_not_end_the_answer(caller, add_route, upstream, wallet, behaviour, stream):
    add_route(behaviour)
    client = RawClient(caller, CLAIM, stream=stream)
    eventually(lambda: upstream.requests)
    client.close()
    eventually(lambda: get_runtime().drains)
    assert caller.chat(CLAIM, stream=stream).status == 409
    upstream.open_gate()
    record = eventually(lambda: records_of(wallet).first())
    assert (record.status, record.ended_by, record.charge_nanos) == ("completed", "client", 10_500)
    reply = caller.chat(CLAIM, stream=stream)
    assert (is_replayed(reply), reply.content) == (True, "Hello from upstream")
    assert wallet.spent == 10_500


def test_leaving_in_mid_stream_does_not_end_the_answer(caller, add_route, upstream, wallet):
    add_route("held")
    with caller.streaming(CLAIM) as response:
        heard = read_until(response.iter_lines(), "Hello")
        request_id = response.headers["x-request-id"]
    eventually(lambda: get_runtime().drains)
    upstream.open_gate()
    record = find_record(request_id)
    assert (record.status, record.ended_by, record.count_source) == ("completed", "client", "provider")
    reply = caller.chat(CLAIM, stream=True)
    assert reply.text.startswith("\n".join(heard))
    assert (reply.content, reply.is_done, reply.usage["cost"]) == ("Hello from upstream", True, 0.0000105)
    assert eventually(lambda: not get_runtime().drains)


def test_leaving_between_routes_does_not_stop_the_search(caller, add_route, upstream, wallet, settings):
    settings.FIRST_BYTE_SECONDS = 0.3
    add_route("silent", family="zhinao", priority=1)
    add_route("ok", family="zhinao", priority=2)
    client = RawClient(caller, CLAIM, model="zhinao", stream=True)
    eventually(lambda: upstream.requests)
    client.close()
    record = eventually(lambda: records_of(wallet).first())
    assert (record.status, record.ended_by, len(upstream.requests)) == ("completed", "client", 2)
    assert is_replayed(caller.chat(CLAIM, model="zhinao", stream=True))


def test_a_client_that_does_not_read_is_given_up_and_the_answer_goes_on(caller, add_route, wallet, settings):
    settings.CLIENT_STALL_SECONDS = 0.3
    add_route("flood")
    client = RawClient(caller, CLAIM, stream=True)
    record = find_record(client.read_head())
    assert (record.status, record.ended_by, record.charge_nanos) == ("completed", "client", 10_500)
    client.close()


@BOTH
def test_beyond_so_many_drains_a_client_that_leaves_ends_its_answer(
    caller, add_route, upstream, wallet, monkeypatch, stream
):
    from routing import gateway

    monkeypatch.setattr(gateway, "MAX_DRAINS", 0)
    monkeypatch.setattr(gateway, "USAGE_PATIENCE_SECONDS", 0.05)
    add_route("silent")
    client = RawClient(caller, CLAIM, stream=stream)
    eventually(lambda: upstream.requests)
    client.close()
    record = eventually(lambda: records_of(wallet).first())
    assert (record.status, record.ended_by, record.charge_nanos) == ("aborted", "client", 0)
    upstream.open_gate()
    assert not is_replayed(caller.chat(CLAIM, stream=stream))


# --- what is not kept ----------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "status"), [("refuse-500", 502), ("break-at-once", 502), ("too-long", 400), ("not-json", 502)]
)
def test_after_an_error_the_same_key_runs_anew(caller, add_route, wallet, behaviour, status):
    route = add_route(behaviour)
    assert caller.chat(CLAIM, stream=True).status == status
    route.delete()
    add_route("ok")
    reply = caller.chat(CLAIM, stream=True)
    assert (reply.status, is_replayed(reply), reply.content) == (200, False, "Hello from upstream")
    assert is_replayed(caller.chat(CLAIM, stream=True))


def test_an_answer_that_broke_off_is_not_kept(caller, add_route, wallet):
    route = add_route("break-mid-stream")
    assert caller.chat(CLAIM, stream=True).error["code"] == "upstream_error"
    route.delete()
    add_route("ok")
    assert not is_replayed(caller.chat(CLAIM, stream=True))


def test_a_refusal_is_not_kept(make_caller, member, add_route):
    add_route("ok")
    caller = make_caller()
    assert caller.chat(CLAIM).status == 402
    Wallet(member).grant(1)
    assert caller.chat(CLAIM).status == 200


def test_an_answer_of_more_than_a_megabyte_is_charged_and_not_kept(caller, add_route, upstream, wallet):
    add_route("flood")
    first, second = caller.chat(CLAIM, stream=True), caller.chat(CLAIM, stream=True)
    assert first.is_done
    assert (second.status, second.error["code"]) == (409, "idempotency_conflict")
    assert second.headers["x-should-retry"] == "false"
    assert "too long to keep" in second.error["message"]
    assert (answers_of(wallet).get().answer, len(upstream.requests), wallet.spent) == (None, 1, 10_500)


def test_a_stream_of_many_small_events_is_kept(caller, add_route, upstream, wallet):
    add_route("many-words")
    first, second = [caller.chat(CLAIM, stream=True) for _ in range(2)]
    assert second.text == first.text
    assert is_replayed(second)
    assert len(answers_of(wallet).get().answer) < len(first.text) / 5


def test_an_expired_answer_is_forgotten(caller, add_route, upstream, wallet):
    add_route("ok")
    caller.chat(CLAIM)
    answers_of(wallet).update(expires_at=timezone.now())
    assert not is_replayed(caller.chat(CLAIM))
    assert wallet.spent == 2 * 10_500


def test_an_answer_whose_encryption_key_is_gone_says_so(caller, add_route, wallet):
    add_route("ok")
    caller.chat(CLAIM)
    answers_of(wallet).update(answer=b"gAAAAA")
    reply = caller.chat(CLAIM)
    assert (reply.status, reply.headers["x-should-retry"]) == (409, "false")
    assert "can't be read" in reply.error["message"]


# --- what a replay does not need ------------------------------------------------


@BOTH
def test_an_empty_wallet_gets_its_recorded_answer(make_caller, member, add_route, stream):
    wallet, caller = Wallet(member), make_caller()
    wallet.grant(0.001)
    add_route("usage-dear")
    first = caller.chat(CLAIM, stream=stream, max_tokens=10)
    assert (wallet.row.free_nanos, first.record.charge_nanos) == (0, 1_000_000)
    assert caller.chat(max_tokens=10).status == 402
    assert caller.chat(CLAIM, stream=stream, max_tokens=10).text == first.text


def test_no_route_is_needed_for_a_recorded_answer(caller, add_route, wallet):
    route = add_route("ok")
    first = caller.chat(CLAIM)
    fault = UpstreamFault.of(Meaning.RATE_LIMITED, retry_after=60)
    get_runtime().health.note_fault(route, fault, began_at=time.monotonic())
    assert caller.chat({"idempotency-key": "order-2"}).status == 503
    assert caller.chat(CLAIM).text == first.text


# --- what goes wrong ------------------------------------------------------------


def test_a_lost_commit_admits_the_same_request_once(caller, add_route, upstream, wallet, monkeypatch):
    admissions = get_runtime().ledger._admissions
    admit_batch, losses = admissions.admit_batch, iter([True])

    def admit_then_lose(items, **options):
        decisions = admit_batch(items, **options)
        if next(losses, False):
            raise OperationalError("server closed the connection unexpectedly")
        return decisions

    monkeypatch.setattr(admissions, "admit_batch", admit_then_lose)
    add_route("ok")
    first, second = caller.chat(CLAIM), caller.chat(CLAIM)
    assert (first.status, is_replayed(second)) == (200, True)
    assert (len(upstream.requests), wallet.spent) == (1, 10_500)


def test_what_a_dead_process_left_can_be_asked_for_again(caller, add_route, upstream, wallet):
    add_route("held")
    client = RawClient(caller, CLAIM, stream=True)
    request_id = client.read_head()
    two_minutes_ago = timezone.now() - timedelta(minutes=2)
    Hold.objects.filter(pk=request_id).update(process=uuid.uuid4(), started_at=two_minutes_ago)
    assert sweep.sweep() == 1
    upstream.open_gate()
    reply = caller.chat(CLAIM, stream=True)
    assert (reply.status, is_replayed(reply)) == (200, False)
    assert answers_of(wallet).get().request == uuid.UUID(reply.request_id)
    client.close()


@BOTH
def test_neither_prompt_nor_answer_is_stored_or_logged_in_plain_text(caller, add_route, wallet, caplog, stream):
    caplog.set_level(logging.DEBUG)
    add_route("echo")
    messages = [{"role": "user", "content": CANARY}]
    for _ in range(2):
        assert caller.chat(CLAIM, stream=stream, messages=messages).content == CANARY
    for model in apps.get_models():
        for row in model.objects.values():
            stored = [bytes(value) if isinstance(value, memoryview) else value for value in row.values()]
            assert CANARY not in str(stored), model
    assert answers_of(wallet).get().answer
    assert CANARY not in caplog.text
