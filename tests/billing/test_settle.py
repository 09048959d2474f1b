"""Settling: by the state in which the hold is found."""

import uuid
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import IntegrityError

from billing import pricing, proof
from billing.holds import Admissions
from billing.models import Hold, LedgerEntry, Limit, UsageRecord
from billing.requests import PriceRecord
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle, wallet_of


@pytest.fixture(autouse=True)
def books_balance(db: None):
    """After every test here the books must agree with themselves."""
    yield
    assert proof.check_books_inside().differences == {}


def test_it_charges_what_was_used_and_gives_the_rest_back(make_key, admissions, ask) -> None:
    key = make_key(credit=1)
    [admission] = admissions.admit_batch([ask(key)])
    [outcome] = settle_batch([settle(admission, Tokens(input=100, output=10))])
    assert outcome.charge == 100 * 1000 + 10 * 2000
    wallet = wallet_of(key)
    assert (wallet.held_nanos, wallet.spent_nanos) == (0, outcome.charge)
    assert Hold.objects.get().state == Hold.State.SETTLED


def test_one_record_and_one_entry_tie_it_together(make_key, admissions, ask) -> None:
    [admission] = admissions.admit_batch([ask(make_key())])
    settle_batch([settle(admission, Tokens(input=100, output=10, reasoning=3))])
    record, entry = UsageRecord.objects.get(), LedgerEntry.objects.get(kind="charge")
    assert (record.charge_nanos, record.held_nanos) == (-entry.amount_nanos, admission.amount)
    assert entry.request == record.pk == admission.request.id
    assert (record.reasoning_tokens, record.input_estimate) == (3, 1000)


def test_texts_from_outside_are_kept_as_they_came(make_key, admissions, ask) -> None:
    odd = "'; -- %s %(a)s \\ \\u0041 \" {} é 模型 😀"
    [admission] = admissions.admit_batch([replace(ask(make_key()), client_request_id=odd)])
    attempts = [{"route": odd, "ms": 1, "is_retry": True, "status": None}]
    settle_batch([settle(admission, Tokens(), provider_request_id=odd, cost=Decimal("0.000001"), attempts=attempts)])
    record = UsageRecord.objects.get()
    assert (record.client_request_id, record.provider_request_id, record.attempts) == (odd, odd, attempts)
    assert (record.cost, record.started_at) == (Decimal("0.000001"), admission.started_at)


def test_nothing_used_releases_the_hold_without_an_entry(make_key, admissions, ask) -> None:
    [admission] = admissions.admit_batch([ask(make_key())])
    settle_batch([settle(admission, Tokens(), status="failed", ended_by="upstream")])
    assert Hold.objects.get().state == Hold.State.RELEASED
    assert not LedgerEntry.objects.filter(kind="charge").exists()
    assert UsageRecord.objects.get().status == "failed"


def test_a_replayed_settle_changes_nothing(make_key, admissions, ask) -> None:
    key = make_key()
    [admission] = admissions.admit_batch([ask(key)])
    settlement = settle(admission, Tokens(input=100, output=10))
    first = settle_batch([settlement])
    before = wallet_of(key).spent_nanos
    again = settle_batch([settlement], is_replay=True)
    assert again == first
    assert wallet_of(key).spent_nanos == before
    assert UsageRecord.objects.count() == LedgerEntry.objects.filter(kind="charge").count() == 1


def test_more_than_held_is_taken_from_what_is_free(make_key, admissions, ask) -> None:
    key = make_key(credit=1)
    [admission] = admissions.admit_batch([ask(key)])
    [outcome] = settle_batch([settle(admission, Tokens(input=1000, output=10_000))])
    assert outcome.charge == 21_000_000 > admission.amount
    assert outcome.uncollected == 0


def test_a_charge_never_passes_what_was_free(make_key, admissions, ask) -> None:
    key = make_key(credit=0.004)
    [admission] = admissions.admit_batch([ask(key)])
    [outcome] = settle_batch([settle(admission, Tokens(input=1000, output=10**9))])
    wallet = wallet_of(key)
    assert wallet.spent_nanos == wallet.limit_nanos == outcome.charge
    assert UsageRecord.objects.get().uncollected_nanos == outcome.uncollected > 0


def test_a_budget_window_caps_the_charge_too(make_key, admissions, ask) -> None:
    key = make_key(credit=1, daily_budget_nanos=3_500_000)
    [admission] = admissions.admit_batch([ask(key)])
    [outcome] = settle_batch([settle(admission, Tokens(input=1000, output=10**6))])
    assert outcome.charge == 3_500_000
    assert outcome.standings["key_day"].left == 0


def test_after_the_sweeper_one_adjustment_makes_up_the_difference(make_key, admissions, ask) -> None:
    key = make_key()
    [admission] = admissions.admit_batch([ask(key)])
    settle_batch([settle(admission, Tokens(input=100, output=1), count_source="checkpoint", is_sweep=True)])
    late = settle(admission, Tokens(input=100, output=10))
    settle_batch([late])
    settle_batch([late], is_replay=True)
    assert LedgerEntry.objects.get(kind="adjustment").amount_nanos == -9 * 2000
    record = UsageRecord.objects.get()
    assert (record.charge_nanos, record.count_source) == (120_000, "provider")


def test_an_adjustment_can_give_back(make_key, admissions, ask) -> None:
    key = make_key()
    [admission] = admissions.admit_batch([ask(key)])
    settle_batch([settle(admission, Tokens(input=100, output=10), is_sweep=True)])
    settle_batch([settle(admission, Tokens(input=100, output=1))])
    assert wallet_of(key).spent_nanos == 102_000


def test_a_hold_that_the_database_lost_is_charged_all_the_same(make_key, admissions, ask) -> None:
    key = make_key()
    [admission] = admissions.admit_batch([ask(key)])
    Hold.objects.all().delete()
    lost = wallet_of(key)
    lost.held_nanos = 0
    lost.save()
    for limit in (admission.limits.day_id, admission.limits.month_id):
        type(lost).objects.filter(pk=limit).update(held_nanos=0)
    settlement = settle(admission, Tokens(input=100, output=10))
    settle_batch([settlement])
    settle_batch([settlement], is_replay=True)
    assert wallet_of(key).spent_nanos == 120_000
    assert Hold.objects.get().state == Hold.State.SETTLED


def test_a_request_is_charged_to_the_window_in_which_it_was_held(make_key, ask) -> None:
    key = make_key(daily_budget_nanos=10**9)
    [admission] = Admissions(uuid.uuid4()).admit_batch([ask(key)])
    settle_batch([settle(admission, Tokens(input=100, output=10))])
    entry = LedgerEntry.objects.get(kind="charge")
    assert (entry.day_id, entry.month_id) == (admission.limits.day_id, admission.limits.month_id)


@pytest.mark.parametrize("count", [-5, 10**12, True, "12", None, 3.5])
def test_a_providers_counts_are_forced_into_sense(count: object) -> None:
    tokens = Tokens.clamped(count, 99, count, 99)
    assert 0 <= tokens.input <= 10**9
    assert tokens.cached <= tokens.input
    assert tokens.reasoning <= tokens.output


@pytest.mark.django_db(transaction=True)
def test_the_ledger_refuses_to_be_changed(make_key) -> None:
    make_key(credit=1)
    with pytest.raises(Exception, match="append-only"):
        LedgerEntry.objects.update(amount_nanos=1)
    with pytest.raises((IntegrityError, Exception), match="append-only"):
        LedgerEntry.objects.all().delete()


def test_a_batch_that_is_run_again_changes_nothing(make_key, admissions, ask) -> None:
    key = make_key()
    requests = [ask(key) for _ in range(3)]
    admitted = admissions.admit_batch(requests)
    held = dump()
    again = admissions.admit_batch(requests, is_replay=True)
    assert [admission.amount for admission in again] == [admission.amount for admission in admitted]
    assert dump() == held
    settlements = [settle(admission, Tokens(input=10, output=10)) for admission in admitted]
    outcomes, settled = settle_batch(settlements), dump()
    assert [one.charge for one in settle_batch(settlements, is_replay=True)] == [one.charge for one in outcomes]
    assert dump() == settled


def test_a_settle_that_comes_when_its_hold_is_forgotten_changes_nothing(make_key, admissions, ask) -> None:
    """A machine that slept for eight days wakes up, and others have swept and forgotten meanwhile."""
    [admission] = admissions.admit_batch([ask(make_key())])
    settle_batch([replace(settle(admission, Tokens()), is_sweep=True)])
    Hold.objects.all().delete()
    before = dump()
    [outcome] = settle_batch([settle(admission, Tokens(input=10, output=10))])
    assert (outcome.charge, dump()) == (0, before)


def dump() -> list[object]:
    """Return all rows that the ledger writes."""
    return [list(model.objects.order_by("pk").values()) for model in (Limit, Hold, LedgerEntry, UsageRecord)]


def test_the_dearest_tokens_at_the_highest_price_fit_the_books(make_key, admissions, ask) -> None:
    most = pricing.MAX_MICROS
    price = pricing.set_price(model="gold", input_micros=most, cached_micros=most, output_micros=most)
    request = replace(ask(make_key(), input_bound=1, output_limit=1), price=PriceRecord(price.pk, (most,) * 3))
    [admission] = admissions.admit_batch([request])
    [outcome] = settle_batch([settle(admission, Tokens(input=10**9, output=10**9))])
    assert outcome.charge + outcome.uncollected == 2 * 10**17
    with pytest.raises(pricing.PriceError, match="above"):
        pricing.set_price(model="gold", input_micros=most + 1, cached_micros=0, output_micros=0)
