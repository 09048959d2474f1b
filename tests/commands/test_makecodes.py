import pytest
from django.core.management import CommandError, call_command

from billing.models import RedeemCode
from billing.payments import codes

pytestmark = pytest.mark.django_db


def test_it_prints_the_codes_alone(capsys):
    call_command("makecodes", "--usd=5", "--count=3", "--batch=fair", "--expires=2999-12-31")
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 3
    assert {line[:4] for line in lines} == set(RedeemCode.objects.values_list("hint", flat=True))
    row = RedeemCode.objects.first()
    assert (row.amount_nanos, row.batch, row.created_by) == (5 * 10**9, "fair", "makecodes")
    assert f"{row.expires_at:%Y-%m-%d %H:%M}" == "3000-01-01 00:00"


def test_many_are_made_in_small_transactions(capsys, monkeypatch):
    monkeypatch.setattr(codes, "MAX_AT_ONCE", 2)
    call_command("makecodes", "--usd=5", "--count=5", "--batch=fair")
    assert len(set(capsys.readouterr().out.splitlines())) == RedeemCode.objects.count() == 5


@pytest.mark.parametrize(
    "wrong",
    [
        "--usd=0",
        "--count=0",
        "--count=100001",
        "--batch=",
        "--expires=soon",
        "--expires=2001-01-01",
        "--expires=9999-12-31",
    ],
)
def test_senseless_options_make_nothing(wrong):
    with pytest.raises(CommandError):
        call_command("makecodes", "--usd=5", "--count=1", "--batch=fair", wrong)
    assert not RedeemCode.objects.exists()
