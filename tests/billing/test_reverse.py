"""Money that the bank takes back, also when it is spent already."""

import pytest

from billing import ledger
from billing.models import LedgerEntry
from billing.money import NANOS
from billing.requests import Admission
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import assert_proven, settle, wallet_of


def reverse(organization, nanos: int = 3 * NANOS, reference: str = "dp_1") -> LedgerEntry:
    return ledger.reverse(organization=organization, nanos=nanos, actor="bank", reason="dispute", reference=reference)


def test_it_may_leave_less_than_nothing(organization) -> None:
    assert reverse(organization).amount_nanos == -3 * NANOS
    assert ledger.get_wallet(organization=organization).free_nanos == -2 * NANOS
    assert_proven()


def test_the_same_reference_takes_once(organization) -> None:
    assert reverse(organization) == reverse(organization)
    assert ledger.get_wallet(organization=organization).limit_nanos == -2 * NANOS


def test_nothing_is_held_until_the_balance_is_back(make_key, admissions, ask) -> None:
    key = make_key()
    organization = wallet_of(key).organization
    reverse(organization)
    [refused] = admissions.admit_batch([ask(key)])
    assert not isinstance(refused, Admission)
    ledger.grant(organization=organization, nanos=3 * NANOS, actor="root")
    [admitted] = admissions.admit_batch([ask(key)])
    assert isinstance(admitted, Admission)
    assert_proven()


def test_a_request_that_runs_meanwhile_is_settled(make_key, admissions, ask) -> None:
    key = make_key()
    [admission] = admissions.admit_batch([ask(key)])
    reverse(wallet_of(key).organization)
    [outcome] = settle_batch([settle(admission, Tokens(input=1000))])
    assert (outcome.charge, outcome.uncollected) == (0, 1_000_000)
    assert wallet_of(key).held_nanos == 0
    assert_proven()


@pytest.mark.parametrize("nanos", [0, -1, 3 * ledger.MAX_NANOS])
def test_a_senseless_amount_is_refused(organization, nanos: int) -> None:
    with pytest.raises(ledger.LedgerError):
        reverse(organization, nanos)
    assert LedgerEntry.objects.count() == 1
