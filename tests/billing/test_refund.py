"""Giving back what a request was charged."""

import pytest

from accounts.keys import build_record
from billing import ledger
from billing.models import LedgerEntry, Limit, UsageRecord
from billing.money import NANOS
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import assert_proven, settle

CHARGE = 1_000_000


def refund(record, nanos: int = CHARGE, reference: str = "a") -> LedgerEntry:
    return ledger.refund(record=record, nanos=nanos, actor="root", reason="bad answer", reference=reference)


def test_a_charge_is_given_back_as_credit(charged) -> None:
    entry = refund(charged)
    assert (entry.kind, entry.amount_nanos, entry.organization) == ("refund", CHARGE, charged.organization)
    assert entry.reference.startswith(str(charged.pk))
    assert ledger.get_wallet(organization=charged.organization).free_nanos == NANOS
    assert_proven()


def test_what_a_budget_has_spent_stays_spent(charged) -> None:
    refund(charged)
    assert set(Limit.objects.values_list("spent_nanos", flat=True)) == {CHARGE}


def test_parts_add_up_to_the_charge_at_most(charged) -> None:
    refund(charged, CHARGE // 2)
    refund(charged, CHARGE // 2, "b")
    with pytest.raises(ledger.LedgerError, match=r"Of the charge of \$0\.001, \$0\.00 can still be refunded"):
        refund(charged, 1, "c")
    assert ledger.sum_refunds(record=charged) == CHARGE
    assert_proven()


@pytest.mark.parametrize("nanos", [0, -1, CHARGE + 1])
def test_a_senseless_amount_is_refused(charged, nanos: int) -> None:
    with pytest.raises(ledger.LedgerError):
        refund(charged, nanos)
    assert not LedgerEntry.objects.filter(kind="refund").exists()


def test_the_same_reference_refunds_once(charged) -> None:
    assert refund(charged) == refund(charged)
    assert ledger.sum_refunds(record=charged) == CHARGE


def test_a_reference_counts_for_one_record_alone(charged, admissions, ask) -> None:
    [admission] = admissions.admit_batch([ask(build_record(charged.key))])
    settle_batch([settle(admission, Tokens(input=1000))])
    other = UsageRecord.objects.exclude(pk=charged.pk).get()
    assert refund(charged) != refund(other)
    assert_proven()
