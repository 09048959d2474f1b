"""The check of the books finds what was done to them behind their back, and says where."""

import uuid

import pytest
from django.db.models import F
from django.utils import timezone

from billing import ledgersums, proof
from billing.models import Hold, LedgerEntry, LedgerSum, Limit, UsageRecord
from billing.money import NANOS
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle


@pytest.fixture
def traffic(make_key, admissions, ask) -> None:
    key = make_key()
    first, _, third = admissions.admit_batch([ask(key), ask(key), ask(key)])
    settle_batch([settle(first, Tokens(input=100, output=10)), settle(third, Tokens())])


def write_entry(**fields) -> LedgerEntry:
    """Put an entry into the ledger that nothing else knows of."""
    wallet = Limit.objects.filter(kind="wallet").first()
    entry = {"organization": wallet.organization, "wallet": wallet, "created_at": timezone.now(), "actor": "test"}
    return LedgerEntry.objects.create(**entry | {"reference": uuid.uuid4().hex} | fields)


def broken() -> dict[str, list[tuple]]:
    return proof.check_books_inside().differences


def test_good_books_have_no_differences(traffic) -> None:
    found = proof.check_books_inside()
    assert (found.differences, found.difference_count) == ({}, 0)
    assert (found.open_holds, found.wallets, found.entries, found.records) == (1, 1, 2, 2)


@pytest.mark.parametrize("field", ["spent_nanos", "held_nanos"])
@pytest.mark.parametrize("kind", ["wallet", "key_day", "key_month"])
def test_a_changed_limit_is_found(traffic, kind: str, field: str) -> None:
    limit = Limit.objects.get(kind=kind)
    expected = getattr(limit, field)
    setattr(limit, field, expected + 1)
    limit.save()
    assert list(broken().values()) == [[(str(limit.pk), expected + 1, expected)]]


def test_a_wallet_with_more_than_its_credits_is_found(traffic) -> None:
    Limit.objects.filter(kind="wallet").update(limit_nanos=2 * 10**9)
    [row] = broken()["wallet limit is not the sum of its credits"]
    assert (row.found, row.expected) == (2 * 10**9, 10**9)


@pytest.mark.parametrize("kind", ["credit", "grant", "refund", "payout", "reversal", "adjustment"])
def test_a_credit_of_any_kind_that_did_not_move_the_wallet_is_found(traffic, kind) -> None:
    write_entry(kind=kind, amount_nanos=-5 if kind in ("payout", "reversal") else 5)
    assert "wallet limit is not the sum of its credits" in broken()


@pytest.mark.parametrize(
    ("kind", "amount"), [("grant", -1), ("refund", 0), ("payout", 1), ("reversal", 1), ("charge", 1)]
)
def test_an_entry_with_the_wrong_sign_is_found(traffic, kind, amount) -> None:
    entry = write_entry(kind=kind, amount_nanos=amount)
    assert broken()["entry moves the balance the wrong way"][0].id == str(entry.pk)


def test_more_refunds_than_charges_are_found(traffic) -> None:
    record = UsageRecord.objects.get(charge_nanos=120_000)
    write_entry(kind="refund", amount_nanos=120_000, reference=f"{record.pk}:a")
    assert "more is refunded than was charged" not in broken()
    write_entry(kind="refund", amount_nanos=1, reference=f"{record.pk}:b")
    assert broken()["more is refunded than was charged"] == [(str(record.pk), 120_001, 120_000)]


def test_a_record_without_its_entry_is_found(traffic) -> None:
    record = UsageRecord.objects.get(charge_nanos=0)
    UsageRecord.objects.filter(pk=record.pk).update(charge_nanos=7)
    [row] = broken()["record's charge is not the sum of its entries"]
    assert row == (str(record.pk), 7, 0)


def test_hours_that_are_not_their_entries_are_found(traffic, clock) -> None:
    clock.forward(hours=1)
    assert ledgersums.sum_up() == 2
    write_entry(kind="grant", amount_nanos=7)  # behind the sums: not theirs to tell
    LedgerSum.objects.filter(kind="grant").update(amount_nanos=F("amount_nanos") + 1)
    wallet = Limit.objects.get(kind="wallet")
    found = broken()["hours of the ledger are not the sum of their entries"]
    spent = wallet.spent_nanos
    assert found == [(str(wallet.organization_id), NANOS + 1 - spent, NANOS - spent)]


def test_a_charge_without_its_record_is_found(traffic) -> None:
    UsageRecord.objects.all().delete()
    assert {"charge without its record", "ended hold without its record"} == set(broken())


def test_a_charge_that_names_no_request_is_found(traffic) -> None:
    write_entry(kind="charge", amount_nanos=-1)
    assert "charge names no request or no window" in broken()


def test_a_charge_under_another_reference_is_found(traffic) -> None:
    wallet, day, month = (Limit.objects.get(kind=kind) for kind in ("wallet", "key_day", "key_month"))
    Limit.objects.update(spent_nanos=wallet.spent_nanos + 1)
    record = UsageRecord.objects.get(charge_nanos=0)
    entry = write_entry(kind="charge", amount_nanos=-1, request=record.pk, day=day, month=month)
    assert broken() == {"charge's reference is not its request": [(str(entry.pk), entry.reference, str(record.pk))]}


def test_an_entry_of_somebody_elses_wallet_is_found(traffic, make_key) -> None:
    grant = LedgerEntry.objects.get(kind="grant")
    other = make_key(credit=0)
    entry = write_entry(kind="grant", amount_nanos=1, wallet=grant.wallet, organization_id=other.organization_id)
    [row] = broken()["wallet: entry of another organization or kind of limit"]
    assert row == (str(entry.pk), grant.organization_id, other.organization_id)


@pytest.mark.parametrize(
    ("state", "fields", "rule"),
    [
        ("settled", {"charged_nanos": 1}, "record's charge is not its hold's"),
        ("settled", {"uncollected_nanos": 1}, "record's uncollected is not its hold's"),
        ("released", {"uncollected_nanos": 1}, "released hold has a charge"),
        ("open", {"charged_nanos": 1}, "open hold has a charge"),
    ],
)
def test_a_hold_that_says_something_else_is_found(traffic, state, fields, rule) -> None:
    hold = Hold.objects.get(state=state)
    Hold.objects.filter(pk=hold.pk).update(**fields)
    assert broken()[rule][0].id == str(hold.pk)


def test_a_hold_that_is_open_behind_its_record_is_found(traffic) -> None:
    Hold.objects.filter(state="released").update(state="open")
    assert "open hold has a record" in broken()


def test_many_differences_are_all_counted_and_a_hundred_are_named(traffic) -> None:
    for _ in range(130):
        write_entry(kind="grant", amount_nanos=-1)
    found = proof.check_books_inside()
    assert len(found.differences["entry moves the balance the wrong way"]) == 100
    assert found.difference_count == 131
