"""Credit: given by the operator, or bought."""

import pytest

from billing import ledger
from billing.models import LedgerEntry
from billing.money import NANOS
from tests.billing.conftest import assert_proven

GIVERS = [ledger.grant, ledger.credit]


@pytest.mark.parametrize("give", GIVERS)
def test_it_adds_to_the_wallet(organization, give) -> None:
    entry = give(organization=organization, nanos=5 * NANOS, actor="root", reason="pilot", reference="a")
    assert (entry.amount_nanos, entry.actor, entry.reason) == (5 * NANOS, "root", "pilot")
    assert ledger.get_wallet(organization=organization).limit_nanos == 6 * NANOS
    assert_proven()


@pytest.mark.parametrize("give", GIVERS)
def test_the_same_reference_gives_once(organization, give) -> None:
    first, second = (give(organization=organization, nanos=5, actor="root", reference="a") for _ in range(2))
    assert first == second
    assert ledger.get_wallet(organization=organization).limit_nanos == NANOS + 5


@pytest.mark.parametrize("give", GIVERS)
def test_the_same_reference_with_another_amount_is_refused(organization, give) -> None:
    give(organization=organization, nanos=5 * NANOS, actor="root", reference="a")
    with pytest.raises(ledger.LedgerError, match=r"done before, with \$5\.00"):
        give(organization=organization, nanos=6 * NANOS, actor="root", reference="a")
    assert ledger.get_wallet(organization=organization).limit_nanos == 6 * NANOS


def test_without_a_reference_every_grant_gives_anew(organization) -> None:
    for _ in range(2):
        ledger.grant(organization=organization, nanos=5, actor="root")
    assert ledger.get_wallet(organization=organization).limit_nanos == NANOS + 10


@pytest.mark.parametrize("give", GIVERS)
@pytest.mark.parametrize("nanos", [0, -1, ledger.MAX_NANOS])
def test_senseless_amounts_give_nothing(organization, give, nanos: int) -> None:
    with pytest.raises(ledger.LedgerError):
        give(organization=organization, nanos=nanos, actor="root", reference="a")
    assert LedgerEntry.objects.count() == 1
