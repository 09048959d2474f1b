"""Corrections by a person."""

import uuid

import pytest

from billing import ledger
from billing.models import LedgerEntry
from billing.money import NANOS
from tests.billing.conftest import assert_proven


def adjust(organization, nanos: int, reference: str = "a", reason: str = "counted wrong") -> LedgerEntry:
    return ledger.adjust(organization=organization, nanos=nanos, actor="root", reason=reason, reference=reference)


@pytest.mark.parametrize("nanos", [5 * NANOS, -5 * NANOS, 1])
def test_it_moves_the_balance_either_way(organization, nanos: int) -> None:
    entry = adjust(organization, nanos)
    assert (entry.amount_nanos, entry.actor, entry.reason) == (nanos, "root", "counted wrong")
    assert ledger.get_wallet(organization=organization).free_nanos == NANOS + nanos
    assert_proven()


def test_the_same_reference_moves_it_once(organization) -> None:
    assert adjust(organization, -5) == adjust(organization, -5)
    assert ledger.get_wallet(organization=organization).free_nanos == NANOS - 5


@pytest.mark.parametrize("wrong", [{"nanos": 0}, {"nanos": 1, "reason": " "}])
def test_a_senseless_adjustment_is_refused(organization, wrong) -> None:
    with pytest.raises(ledger.LedgerError):
        adjust(organization, **wrong)
    assert LedgerEntry.objects.count() == 1


def test_it_never_takes_the_name_of_a_requests_own_adjustment(organization) -> None:
    request_id = str(uuid.uuid4())
    assert adjust(organization, 1, request_id).reference != request_id
