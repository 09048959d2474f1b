import pytest
from django.core.management import CommandError, call_command

from accounts import people
from billing.ledger import get_wallet
from billing.models import LedgerEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization():
    return people.ensure_member(email="a@b.co")[0].organization


def test_it_adds_to_the_wallet(organization, capsys):
    call_command("grantcredit", "--email=A@b.co", "--usd=12.50", "--reason=pilot")
    call_command("grantcredit", "--email=a@b.co", "--usd=0.5")
    assert get_wallet(organization=organization).limit_nanos == 13 * 10**9
    assert list(LedgerEntry.objects.order_by("pk").values_list("reason", flat=True)) == ["pilot", ""]
    assert capsys.readouterr().out.splitlines()[-1] == "granted $0.50 to a: balance $13.00"


@pytest.mark.parametrize("usd", ["0", "-5", "NaN", "inf", "1e12", "0.0000000001", "ten", ""])
def test_a_senseless_amount_gives_nothing(organization, usd):
    with pytest.raises(CommandError, match="--usd"):
        call_command("grantcredit", "--email=a@b.co", f"--usd={usd}")
    assert not LedgerEntry.objects.exists()


def test_an_unknown_address_is_named():
    with pytest.raises(CommandError, match=r"^x@b\.co is not known here"):
        call_command("grantcredit", "--email=x@b.co", "--usd=5")
