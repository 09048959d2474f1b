"""What the provider asks is on the record beside the charge, and told to no client."""

from decimal import Decimal

import pytest

from billing import costs
from routing.models import Upstream
from tests.gateway.callers import eventually, read_until
from tests.gateway.conftest import Wallet, in_force

ASKED = {"cost_input_micros": 2_000_000, "cost_cached_micros": 500_000, "cost_output_micros": 8_000_000}


@pytest.fixture(scope="module", autouse=True)
def yuan(database):
    costs.set_rate(currency="CNY", usd=Decimal("0.14"))


@pytest.mark.parametrize("stream", [True, False])
def test_a_record_has_its_cost(caller, add_route, stream):
    add_route("ok", cost_currency="CNY", **ASKED)
    reply = caller.chat(stream=stream)
    record = reply.record
    assert (record.cost, record.cost_currency) == (Decimal("0.000048"), "CNY")
    assert record.cost_nanos == 48 * 140
    assert "CNY" not in str(reply.headers)
    assert set(reply.usage) & {"cost_nanos", "cost_currency"} == set()


def test_cached_tokens_have_their_own_cost(caller, add_route):
    add_route("ok-cached", **ASKED)
    record = caller.chat().record
    assert (record.cost_nanos, record.cost_currency) == ((8 * 2 + 4 * 0.5 + 3 * 8) * 1000, "USD")


def test_without_a_cost_on_the_route_there_is_none(caller, add_route):
    add_route("ok", cost_currency="CNY")
    record = caller.chat().record
    assert (record.cost, record.cost_currency, record.cost_nanos) == (None, "", None)


def test_a_new_rate_counts_from_the_next_request_on(caller, add_route):
    add_route("ok", cost_currency="EUR", **ASKED)
    assert caller.chat().record.cost_nanos is None
    costs.set_rate(currency="EUR", usd=Decimal(2))
    in_force()
    assert caller.chat().record.cost_nanos == 96_000


def test_what_the_provider_counts_costs_although_the_wallet_can_not_pay_it(make_caller, member, add_route):
    Wallet(member).grant(0.001)
    add_route("usage-dear", **ASKED)
    record = make_caller().chat(max_tokens=10).record
    assert record.uncollected_nanos > 0
    assert record.cost_nanos == (12 * 2 + 100_000 * 8) * 1000


def test_what_the_provider_counts_costs_although_nothing_was_delivered_or_charged(caller, add_route):
    add_route("counted-then-broken", **ASKED)
    record = caller.chat(stream=True).record
    assert (record.charge_nanos, record.cost_nanos) == (0, (12 * 2 + 3 * 8) * 1000)


def test_a_slow_upstream_that_was_left_costs_its_input_at_least(caller, add_route):
    slow = add_route("silent", priority=1, cost_currency="CNY", **ASKED)
    add_route("ok", priority=2, **ASKED)
    Upstream.objects.filter(pk=slow.upstream_id).update(first_byte_seconds=1)
    in_force()
    record = caller.chat(stream=True, messages=[{"role": "user", "content": "word " * 1000}]).record
    left = record.attempts[0]
    assert (left["reason"], left["cost_currency"], left["cost_source"]) == ("first_byte", "CNY", "estimate")
    assert Decimal("0.001") < Decimal(left["cost"]) < Decimal("0.01")
    assert (record.cost_currency, record.cost_nanos) == ("USD", 48_000)


def test_an_attempt_that_was_counted_and_failed_costs_what_was_counted(caller, add_route):
    add_route("counted-then-broken", priority=1, **ASKED)
    add_route("ok", priority=2)
    lost = caller.chat(stream=True).record.attempts[0]
    assert (lost["cost"], lost["cost_currency"], lost["cost_source"]) == ("0.000048", "USD", "provider")


@pytest.mark.parametrize(("behaviour", "may_cost"), [("break-at-once", True), ("refuse-500", False)])
def test_only_an_attempt_at_which_a_provider_may_have_worked_costs(caller, add_route, behaviour, may_cost):
    add_route(behaviour, priority=1, **ASKED)
    add_route("ok", priority=2)
    assert ("cost" in caller.chat().record.attempts[0]) is may_cost


def test_a_checkpoint_remembers_what_the_provider_asks(caller, add_route, upstream):
    from billing.models import Hold

    add_route("held", cost_currency="CNY", **ASKED)
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        open_hold = Hold.objects.filter(state="open", checkpoint__isnull=False)
        assert eventually(open_hold.exists)
        assert open_hold.get().checkpoint["cost"] == ["CNY", 2_000_000, 500_000, 8_000_000, 140_000_000]
        upstream.open_gate()
        read_until(lines, "[DONE]")
