"""What Stripe's events do to orders and wallets: each once, in whatever order, and only what was ordered."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from billing import ledger, money, proof
from billing.models import LedgerEntry, PaymentEvent, TopUp
from tests.billing.payments.stripe_api import dispute, event, paid, payment_of, refunded

USD = money.NANOS
ORDERS = list(itertools.permutations(range(4)))


def balance(order):
    wallet = ledger.get_wallet(organization=order.organization)
    return (wallet.limit_nanos - wallet.spent_nanos) / USD


def entries():
    return [(entry.kind, entry.amount_nanos / USD) for entry in LedgerEntry.objects.order_by("pk")]


@pytest.fixture(autouse=True)
def books_are_right(db):
    yield
    assert proof.check_books_inside().differences == {}


# --- payments --------------------------------------------------------------


def test_a_paid_session_credits_its_order(deliver, make_order):
    order = make_order()
    assert deliver(paid(order)).status_code == 200
    order.refresh_from_db()
    assert (order.state, order.payment) == ("paid", payment_of(order))
    assert order.paid_at is not None
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.amount_nanos, entry.actor) == ("credit", 20 * USD, "stripe")
    assert (entry.reference, entry.organization) == (f"topup:{order.pk}", order.organization)


def test_a_replayed_event_credits_nothing_more(deliver, make_order):
    sent = paid(make_order())
    assert [deliver(sent).status_code for _ in range(3)] == [200, 200, 200]
    assert entries() == [("credit", 20)]
    assert PaymentEvent.objects.count() == 1


def test_two_events_about_one_payment_credit_once(deliver, make_order):
    order = make_order()
    deliver(paid(order))
    deliver(paid(order, "async_payment_succeeded"))
    assert entries() == [("credit", 20)]


def test_a_completed_session_that_is_not_paid_credits_nothing_until_it_is(deliver, make_order):
    order = make_order()
    deliver(paid(order, payment_status="unpaid"))
    assert entries() == []
    assert TopUp.objects.get().state == "open"
    deliver(paid(order, "async_payment_succeeded"))
    assert entries() == [("credit", 20)]


@pytest.mark.parametrize("kind", ["expired", "async_payment_failed"])
def test_an_order_that_nobody_paid_is_closed(deliver, make_order, kind):
    order = make_order()
    deliver(paid(order, kind, payment_status="unpaid"))
    assert TopUp.objects.get().state == "closed"
    assert entries() == []


@pytest.mark.parametrize("kind", ["expired", "async_payment_failed"])
def test_what_was_paid_stays_paid(deliver, make_order, kind):
    order = make_order()
    closing = paid(order, kind, payment_status="unpaid")
    for sent in (closing, paid(order), closing | {"id": "evt_late"}):
        deliver(sent)
    assert TopUp.objects.get().state == "paid"
    assert entries() == [("credit", 20)]


@pytest.mark.parametrize(
    "changed",
    [
        {"amount_total": 1999},
        {"amount_total": 2001},
        {"amount_total": "2000"},
        {"amount_total": True},
        {"currency": "jpy"},
        {"currency": None},
        {"client_reference_id": "1000000"},
        {"client_reference_id": None},
        {"id": "cs_test_another"},
    ],
)
def test_what_was_not_ordered_is_not_credited_but_told(deliver, make_order, caplog, changed):
    order = make_order()
    assert deliver(paid(order, **changed)).status_code == 200
    assert TopUp.objects.get().state == "open"
    assert entries() == []
    assert "ERROR" in {record.levelname for record in caplog.records}
    assert PaymentEvent.objects.get().problem


def test_an_event_is_worked_through_once(deliver, make_order, caplog):
    sent = paid(make_order(), amount_total=1)
    for _ in range(3):
        deliver(sent)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_session_pays_its_own_order_alone(deliver, make_order, caplog):
    mine, other = make_order(20), make_order(500)
    deliver(paid(other, id=mine.session))
    assert set(TopUp.objects.values_list("state", flat=True)) == {"open"}
    assert "names another order" in caplog.text


# --- refunds and disputes --------------------------------------------------


def test_refunds_are_taken_back_as_they_grow(deliver, make_order):
    order = make_order()
    for sent in (paid(order), refunded(order, 500), refunded(order, 800), refunded(order, 2000)):
        deliver(sent)
    assert entries() == [("credit", 20), ("reversal", -5), ("reversal", -3), ("reversal", -12)]


def test_a_refund_heard_of_twice_or_late_takes_nothing_more(deliver, make_order):
    order = make_order()
    first, second = refunded(order, 500), refunded(order, 800)
    for sent in (paid(order), second, first, second, refunded(order, 800)):
        deliver(sent)
    assert entries() == [("credit", 20), ("reversal", -8)]


def test_a_refund_heard_of_before_its_payment_is_taken_back(deliver, make_order):
    order = make_order()
    deliver(refunded(order, 500))
    assert entries() == []
    deliver(paid(order))
    assert entries() == [("credit", 20), ("reversal", -5)]


def test_a_dispute_takes_back_once_what_is_left(deliver, make_order):
    order = make_order()
    for sent in (paid(order), refunded(order, 500), dispute(order), dispute(order, "funds_withdrawn")):
        deliver(sent)
    assert entries() == [("credit", 20), ("reversal", -5), ("reversal", -15)]


def test_a_reversal_can_leave_less_than_nothing(deliver, make_order, owner):
    order = make_order()
    deliver(paid(order))
    ledger.reverse(organization=owner.organization, nanos=15 * USD, actor="test", reason="spent", reference="x")
    deliver(dispute(order))
    assert balance(order) == -15


def test_a_dispute_that_is_won_gives_back_what_it_took(deliver, make_order):
    order = make_order()
    won = dispute(order, "funds_reinstated", status="won")
    for sent in (paid(order), refunded(order, 500), dispute(order, cents=1500), won, won):
        deliver(sent)
    assert entries() == [("credit", 20), ("reversal", -5), ("reversal", -15), ("credit", 15)]


def test_an_inquiry_takes_nothing_until_it_becomes_a_dispute(deliver, make_order):
    order = make_order()
    deliver(paid(order))
    deliver(dispute(order, status="warning_needs_response"))
    assert balance(order) == 20
    deliver(dispute(order, "funds_withdrawn"))
    assert balance(order) == 0


def test_a_claim_in_another_currency_is_left_to_a_person(deliver, make_order, caplog):
    order = make_order()
    deliver(paid(order))
    deliver(refunded(order, 500, currency="jpy"))
    assert balance(order) == 20
    assert "reverse it by hand" in caplog.text


def test_a_refund_that_failed_is_told(deliver, make_order, caplog):
    order = make_order()
    deliver(paid(order))
    deliver(event("refund.failed", payment_intent=payment_of(order), amount=500, status="failed"))
    assert "give its credit back by an adjustment" in caplog.text


@pytest.mark.parametrize("places", ORDERS, ids=str)
def test_refunds_and_disputes_end_right_in_any_order(deliver, make_order, places):
    order = make_order()
    events = [paid(order), refunded(order, 300), refunded(order, 800), dispute(order, cents=400)]
    for place in places:
        deliver(events[place])
    assert balance(order) == 8
    assert TopUp.objects.get().reversed_nanos == 12 * USD


@pytest.mark.parametrize("places", ORDERS, ids=str)
def test_a_won_dispute_ends_right_in_any_order(deliver, make_order, places):
    order = make_order()
    kinds = ("created", "funds_withdrawn", "funds_reinstated")
    events = [paid(order), *(dispute(order, kind) for kind in kinds)]
    for place in places:
        deliver(events[place])
    assert balance(order) == 20
    assert TopUp.objects.get().reversed_nanos == 0


# --- at the same moment ----------------------------------------------------


def deliver_together(deliver, events):
    start = Barrier(len(events))

    def send(sent):
        try:
            start.wait()
            return deliver(sent).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(events)) as threads:
        return list(threads.map(send, events))


@pytest.mark.django_db(transaction=True)
def test_one_event_ten_times_at_once_credits_once(deliver, make_order):
    sent = paid(make_order())
    assert set(deliver_together(deliver, [sent] * 10)) == {200}
    assert entries() == [("credit", 20)]


@pytest.mark.django_db(transaction=True)
def test_everything_about_one_payment_at_once_ends_right(deliver, make_order):
    for _ in range(5):
        order = make_order()
        events = [
            *(paid(order), paid(order, "async_payment_succeeded"), paid(order, "expired", payment_status="unpaid")),
            *(refunded(order, cents) for cents in (300, 700, 800)),
            *(dispute(order, kind, cents=400) for kind in ("created", "funds_withdrawn")),
        ]
        assert set(deliver_together(deliver, events)) == {200}
        order.refresh_from_db()
        assert (order.state, order.reversed_nanos) == ("paid", 12 * USD)
    assert balance(order) == 5 * 8
