"""A provider's counts are read with suspicion: clamped, or replaced by an estimate of what was delivered."""

import pytest

from routing.runtime import get_runtime
from routing.waits import Deadline
from tests.gateway.callers import eventually, find_record, read_until
from tests.gateway.conftest import Wallet

LONG = [{"role": "user", "content": "word " * 100}]
"""Long enough to learn from."""


def ratio(model):
    return get_runtime().estimator.ratios(model).input


IMPLAUSIBLE = [
    "usage-negative",
    "usage-huge",
    "usage-text",
    "usage-float",
    "usage-true",
    "usage-null",
    "usage-empty",
    "usage-list",
    "no-usage",
]


@pytest.mark.parametrize("behaviour", IMPLAUSIBLE)
@pytest.mark.parametrize("stream", [True, False])
def test_counts_that_are_none_are_estimated(caller, add_route, wallet, behaviour, stream):
    add_route(behaviour)
    reply = caller.chat(stream=stream)
    assert reply.status == 200
    assert reply.content == "Hello from upstream"
    record = reply.record
    assert (record.status, record.count_source) == ("completed", "estimate")
    assert 0 < record.charge_nanos < 100_000
    assert reply.usage["completion_tokens"] == record.output_tokens > 0
    assert wallet.spent == record.charge_nanos


def test_cached_tokens_are_never_more_than_input(caller, add_route):
    add_route("usage-cached-above-input")
    record = caller.chat().record
    assert (record.input_tokens, record.cached_tokens) == (12, 12)


def test_more_than_was_held_is_charged_while_there_is_money(caller, add_route, wallet):
    add_route("usage-dear")
    record = caller.chat(max_tokens=10).record
    assert record.charge_nanos == 12 * 500 + 100_000 * 1500
    assert record.charge_nanos > record.held_nanos
    assert record.uncollected_nanos == 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_charge_never_takes_more_than_was_free(make_caller, member, add_route, stream):
    wallet = Wallet(member)
    wallet.grant(0.001)
    add_route("usage-dear")
    reply = make_caller().chat(stream=stream, max_tokens=10)
    record = reply.record
    assert record.charge_nanos == 1_000_000
    assert record.uncollected_nanos == 12 * 500 + 100_000 * 1500 - 1_000_000
    assert wallet.row.free_nanos == 0
    assert reply.usage["cost"] == 0.001


def test_a_budget_caps_a_charge_as_the_wallet_does(make_caller, wallet, add_route):
    add_route("usage-dear")
    record = make_caller(daily_budget_nanos=500_000).chat(max_tokens=10).record
    assert (record.charge_nanos, wallet.spent) == (500_000, 500_000)


def test_texts_that_a_database_refuses_hurt_nobody(caller, add_route, wallet):
    add_route("nul")
    reply = caller.chat(stream=True)
    assert reply.status == 200
    assert reply.is_done
    record = reply.record
    assert record.charge_nanos == 10_500
    assert "\0" not in record.finish_reason


def test_a_charge_that_could_not_be_collected_is_logged_however_late(
    make_caller, member, add_route, monkeypatch, caplog
):
    monkeypatch.setattr(get_runtime(), "settle_wait", Deadline(0.0))
    Wallet(member).grant(0.001)
    add_route("usage-dear")
    record = make_caller().chat(max_tokens=10).record
    eventually(lambda: f"uncollected: request {record.pk}, {record.uncollected_nanos} nano-dollars" in caplog.text)


# --- what is learned from counts -------------------------------------------------


def test_a_whole_answer_teaches_how_many_tokens_a_text_has(caller, add_route):
    add_route("ok")
    before = ratio("deepseek")
    caller.chat(messages=LONG, stream=True)
    assert ratio("deepseek") != before


def test_a_stream_that_was_left_teaches_nothing(caller, add_route, upstream):
    add_route("held", family="yi")
    before = ratio("yi")
    with caller.streaming(model="yi", messages=LONG) as response:
        read_until(response.iter_lines(), "Hello")
        request_id = response.headers["x-request-id"]
    eventually(lambda: all(journey._client.has_left for journey in get_runtime().journeys))
    upstream.open_gate()
    assert find_record(request_id).count_source == "provider"
    assert ratio("yi") == before


def test_the_demo_teaches_nothing(caller):
    before = ratio("glm")
    assert caller.chat(model="glm", messages=LONG).record.demo
    assert ratio("glm") == before


def test_the_demo_counts_an_image_and_not_its_data(caller, wallet):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    record = caller.chat(
        model="kimi", messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}, image]}]
    ).record
    assert record.input_tokens == 1000
    assert record.charge_nanos <= record.held_nanos
