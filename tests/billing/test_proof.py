"""The check of the books finds what was done to them behind their back."""

import pytest

from billing import proof
from billing.models import Limit, UsageRecord
from billing.settles import Tokens, settle_batch
from tests.billing.conftest import settle


@pytest.fixture
def traffic(make_key, admissions, ask) -> None:
    key = make_key()
    first, _ = admissions.admit_batch([ask(key), ask(key)])
    settle_batch([settle(first, Tokens(input=100, output=10))])


def test_good_books_have_no_differences(traffic) -> None:
    found = proof.check_books_inside()
    assert (found.differences, found.open_holds, found.wallets, found.entries) == ({}, 1, 1, 2)


@pytest.mark.parametrize("field", ["spent_nanos", "held_nanos"])
@pytest.mark.parametrize("kind", ["wallet", "key_day", "key_month"])
def test_a_changed_limit_is_found(traffic, kind: str, field: str) -> None:
    limit = Limit.objects.get(kind=kind)
    setattr(limit, field, getattr(limit, field) + 1)
    limit.save()
    [rows] = proof.check_books_inside().differences.values()
    assert rows[0][0] == limit.pk


def test_a_wallet_with_more_than_its_credits_is_found(traffic) -> None:
    Limit.objects.filter(kind="wallet").update(limit_nanos=2 * 10**9)
    assert "wallet limit is not the sum of its credits" in proof.check_books_inside().differences


def test_a_record_without_its_entry_is_found(traffic) -> None:
    UsageRecord.objects.update(charge_nanos=7)
    assert "record's charge is not the sum of its entries" in proof.check_books_inside().differences


def test_a_charge_without_its_record_is_found(traffic) -> None:
    UsageRecord.objects.all().delete()
    assert "charge without its record" in proof.check_books_inside().differences
