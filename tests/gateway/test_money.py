"""Refusals for money."""

import threading
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts import keys, people
from billing import pricing
from billing.holds import Admissions
from billing.models import LedgerEntry
from billing.money import NANOS
from billing.proof import check_books
from routing import dialects
from routing.dialects.base import Dialect
from routing.runtime import get_runtime
from routing.waits import Deadline
from tests.gateway.callers import eventually, read_until
from tests.gateway.conftest import Wallet

PRICE_OF_100 = (100 * 1500 + 200 * 500) / NANOS
"""About what 100 tokens of output and a short question hold, in dollars."""


def test_an_empty_wallet_is_refused_for_good(make_caller, member, add_route, upstream):
    add_route("ok")
    reply = make_caller().chat()
    assert (reply.status, reply.error["code"]) == (402, "insufficient_quota")
    assert reply.error["limit_source"] == "wallet"
    assert reply.headers["x-should-retry"] == "false"
    assert "retry-after" not in reply.headers
    assert upstream.requests == []


def test_the_wallets_figures_are_not_told_to_a_key(make_caller, member, add_route):
    Wallet(member).grant(0.00001)
    add_route("ok")
    error = make_caller().chat().error
    assert (error["limit_usd"], error["spent_usd"], error["resets_at"]) == (None, None, None)


@pytest.mark.parametrize(
    ("budget", "source", "period"),
    [("daily_budget_nanos", "key_day", "daily"), ("monthly_budget_nanos", "key_month", "monthly")],
)
def test_a_spent_budget_is_refused_with_its_figures(make_caller, wallet, add_route, budget, source, period):
    add_route("ok")
    caller = make_caller(**{budget: 200_000})
    assert caller.chat(max_tokens=10).status == 200
    reply = caller.chat(max_tokens=1000)
    assert (reply.status, reply.error["code"]) == (402, "budget_exceeded")
    assert reply.error["limit_source"] == source
    assert (reply.error["limit_usd"], reply.error["spent_usd"]) == ("0.0002", "0.0000105")
    assert datetime.fromisoformat(reply.error["resets_at"])
    assert period in reply.error["message"]
    assert reply.headers["x-should-retry"] == "false"


def test_a_budget_of_zero_refuses_everything(make_caller, wallet, add_route):
    add_route("ok")
    assert make_caller(daily_budget_nanos=0).chat(max_tokens=1).error["code"] == "budget_exceeded"


def test_what_only_open_holds_fill_may_be_tried_again(make_caller, member, add_route, upstream):
    Wallet(member).grant(1.5 * PRICE_OF_100)
    add_route("held")
    caller = make_caller()
    with caller.streaming(max_tokens=100) as response:
        read_until(response.iter_lines(), "Hello")
        reply = caller.chat(max_tokens=100)
        assert (reply.status, reply.error["code"]) == (402, "insufficient_quota")
        assert (reply.headers["x-should-retry"], reply.headers["retry-after"]) == ("true", "1")


def test_a_spent_budget_is_named_before_a_wallet_that_is_only_held(make_caller, member, add_route, upstream):
    Wallet(member).grant(1.5 * PRICE_OF_100)
    add_route("held")
    poor = make_caller(daily_budget_nanos=180_000)
    with make_caller().streaming(max_tokens=100) as response:
        read_until(response.iter_lines(), "Hello")
        reply = poor.chat(max_tokens=100)
        assert (reply.error["limit_source"], reply.headers["x-should-retry"]) == ("key_day", "false")


def test_a_grant_opens_the_wallet_at_once(make_caller, member, add_route):
    add_route("ok")
    caller, wallet = make_caller(), Wallet(member)
    assert caller.chat().status == 402
    wallet.grant(1)
    assert caller.chat().status == 200


def test_an_edited_budget_is_in_force_within_a_second(make_key, caller, wallet, add_route):
    from billing import budgets

    key, caller.secret = make_key(daily_budget_nanos=0)
    add_route("ok")
    assert caller.chat().status == 402
    budgets.update_key(key=key, daily_budget_nanos=NANOS)
    assert caller.chat().status == 200


def test_a_price_counts_from_the_next_request_on(caller, wallet, add_route):
    from tests.gateway.conftest import in_force

    add_route("ok", family="zhinao")
    before = caller.chat(model="zhinao").record
    pricing.set_price(model="zhinao", input_micros=10**6, cached_micros=10**6, output_micros=2 * 10**6)
    in_force()
    after = caller.chat(model="zhinao").record
    assert before.charge_nanos == 12 * 400 + 3 * 1000
    assert after.charge_nanos == 12 * 1000 + 3 * 2000
    assert after.price_id != before.price_id


def test_a_price_set_for_later_counts_from_its_moment_on(caller, wallet, add_route):
    from tests.gateway.conftest import in_force

    add_route("ok", family="zhinao")
    soon = timezone.now() + timedelta(seconds=1)
    pricing.set_price(model="zhinao", input_micros=7, cached_micros=7, output_micros=7 * 10**6, starts_at=soon)
    in_force()
    assert caller.chat(model="zhinao").record.price.output_micros != 7 * 10**6
    assert eventually(lambda: caller.chat(model="zhinao").record.price.output_micros == 7 * 10**6)


def test_cached_input_has_its_own_price(caller, wallet, add_route):
    from tests.gateway.conftest import in_force

    pricing.set_price(model="stepfun", input_micros=10**6, cached_micros=10**5, output_micros=10**6)
    in_force()
    add_route("ok-cached", family="stepfun")
    assert caller.chat(model="stepfun").record.charge_nanos == 8 * 1000 + 4 * 100 + 3 * 1000


def test_a_model_that_costs_nothing_answers_an_empty_wallet(caller, add_route):
    from tests.gateway.conftest import in_force

    pricing.set_price(model="internlm3", input_micros=0, cached_micros=0, output_micros=0)
    in_force()
    add_route("ok", family="internlm")
    empty = people.ensure_member(email="empty@example.com")[0]
    _, caller.secret = keys.create_key(organization=empty.organization, created_by=empty.user, name="free")
    replies = [caller.chat(model="internlm3", stream=stream) for stream in (False, True)]
    assert [(reply.status, reply.usage["cost"]) for reply in replies] == [(200, 0), (200, 0)]
    assert [(reply.record.held_nanos, reply.record.charge_nanos) for reply in replies] == [(0, 0), (0, 0)]
    assert not LedgerEntry.objects.filter(organization=empty.organization).exists()


class LeavesReasoningOut(Dialect):
    """A provider whose output limit bounds the answer alone."""

    bounds_total = False


@pytest.fixture
def open_ended(add_route, monkeypatch):
    """The only route to a thinking model: its answers may be as long as the model's longest."""
    monkeypatch.setitem(dialects.DIALECTS, "open-ended", LeavesReasoningOut())
    add_route("ok", dialect="open-ended")


@pytest.mark.parametrize("asked", [{"max_tokens": 10}, {}])
def test_a_limit_that_leaves_reasoning_out_holds_for_the_longest_answer(caller, wallet, open_ended, upstream, asked):
    longest = 128_000 * 1500  # the price of a token is 1,500 nano-dollars
    reply = caller.chat(**asked)
    assert longest < reply.record.held_nanos < longest + NANOS // 100
    assert upstream.requests[-1].body["max_tokens"] == asked.get("max_tokens", 32_768)
    assert reply.record.charge_nanos == 12 * 500 + 3 * 1500


def test_a_wallet_that_cannot_bear_the_longest_answer_refuses_it(make_caller, member, open_ended, upstream):
    Wallet(member).grant(0.19)
    lowered = make_caller().chat(max_tokens=10, headers={"x-smartoken-lower-limit": "1"})
    assert (lowered.status, lowered.error["code"]) == (402, "insufficient_quota")
    assert upstream.requests == []


def test_a_ledger_that_hangs_is_not_waited_for_and_a_late_hold_is_given_back(
    caller, wallet, add_route, upstream, monkeypatch
):
    admit_batch, awake = Admissions.admit_batch, threading.Event()

    def hang(self, *items, **options):
        awake.wait(10)
        return admit_batch(self, *items, **options)

    add_route("ok")
    monkeypatch.setattr(get_runtime(), "hold_wait", Deadline(0.1))
    monkeypatch.setattr(Admissions, "admit_batch", hang)
    reply = caller.chat()
    assert (reply.status, reply.error["code"]) == (503, "ledger_unavailable")
    awake.set()
    record = reply.record
    assert (record.status, record.error_code, record.charge_nanos) == ("aborted", "ledger_unavailable", 0)
    assert record.held_nanos > wallet.open_holds == 0
    assert upstream.requests == []


def test_thirty_requests_one_after_another_are_charged_thirty_times(caller, wallet, add_route):
    add_route("ok")
    for _ in range(30):
        caller.chat(stream=True)
    assert eventually(lambda: wallet.spent == 30 * 10_500)
    assert check_books().differences == {}


def test_a_text_beyond_the_context_is_held_for_in_full(caller, wallet, add_route):
    add_route("ok", family="spark")
    record = caller.chat(model="spark", max_tokens=5, messages=[{"role": "user", "content": "hello " * 200_000}]).record
    assert record.input_estimate > 128_000 * 1.5
