"""Money that goes back to the card."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from accounts import people
from billing import ledger, proof
from billing.models import LedgerEntry
from billing.money import NANOS
from tests.billing.conftest import assert_proven, wallet_of


def pay_out(organization, nanos: int, reference: str = "a") -> LedgerEntry:
    return ledger.payout(organization=organization, nanos=nanos, actor="root", reason="asked for", reference=reference)


def test_it_is_taken_out_of_the_wallet(organization) -> None:
    assert pay_out(organization, NANOS).amount_nanos == -NANOS
    assert ledger.get_wallet(organization=organization).free_nanos == 0
    assert_proven()


def test_what_is_held_is_not_paid_out(make_key, admissions, ask) -> None:
    key = make_key()
    admissions.admit_batch([ask(key)])
    wallet = wallet_of(key)
    with pytest.raises(ledger.LedgerError, match=r"\$0\.99\d+ is available"):
        pay_out(wallet.organization, wallet.free_nanos + 1)
    pay_out(wallet.organization, wallet.free_nanos)
    assert wallet_of(key).free_nanos == 0
    assert_proven()


def test_a_repetition_is_not_refused_when_nothing_is_left(organization) -> None:
    assert pay_out(organization, NANOS) == pay_out(organization, NANOS)
    assert ledger.get_wallet(organization=organization).free_nanos == 0


@pytest.mark.parametrize("nanos", [0, -1])
def test_a_senseless_amount_is_refused(organization, nanos: int) -> None:
    with pytest.raises(ledger.LedgerError, match="above 0"):
        pay_out(organization, nanos)


def test_nothing_is_paid_out_of_a_negative_balance(organization) -> None:
    ledger.reverse(organization=organization, nanos=2 * NANOS, actor="bank", reason="dispute", reference="a")
    with pytest.raises(ledger.LedgerError, match=r"\$0\.00 is available"):
        pay_out(organization, 1)


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_take_no_more_than_there_is() -> None:
    organization = people.ensure_member(email="alice@example.com")[0].organization
    ledger.grant(organization=organization, nanos=NANOS, actor="root")
    start = Barrier(8)

    def race(number: int) -> bool:
        try:
            start.wait()
            pay_out(organization, 3 * NANOS // 10, str(number))
        except ledger.LedgerError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(race, range(8))) == 3
    assert ledger.get_wallet(organization=organization).free_nanos == NANOS // 10
    assert proof.check_books().differences == {}
