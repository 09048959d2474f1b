"""The check of the books finds a top-up or a code that is not what the ledger says of it."""

import pytest
from django.db.models import F

from accounts import people
from billing import ledger, proof
from billing.models import RedeemCode, TopUp
from billing.payments import codes
from tests.billing.payments.stripe_api import paid, refunded


@pytest.fixture
def order(deliver, make_order):
    order = make_order()
    deliver(paid(order))
    deliver(refunded(order, 500))
    order.refresh_from_db()
    return order


@pytest.fixture
def code(owner):
    [text] = codes.make_codes(count=1, nanos=25, batch="fair", created_by="test")
    return codes.redeem_code(text=text, organization=owner.organization, user=owner.user, address="192.0.2.1")


def broken() -> dict[str, list[tuple]]:
    return proof.check_books_inside().differences


def test_what_was_paid_and_redeemed_agrees_with_the_ledger(order, code, make_order):
    make_order()
    codes.make_codes(count=3, nanos=25, batch="fair", created_by="test")
    assert broken() == {}


@pytest.mark.parametrize("field", ["amount_nanos", "reversed_nanos"])
def test_a_changed_top_up_is_found(order, field):
    TopUp.objects.update(**{field: F(field) + 1})
    [row] = broken()["top-up is not the sum of its entries"]
    assert (row.id, row.found) == (str(order.pk), 15 * 10**9)


def test_a_top_up_of_another_organization_is_found(order):
    TopUp.objects.update(organization=people.ensure_member(email="eve@example.com")[0].organization)
    assert "top-up is not the sum of its entries" in broken()


def test_a_paid_top_up_without_its_entry_is_found(make_order):
    order = make_order()
    TopUp.objects.update(state="paid")
    assert broken() == {"top-up is not the sum of its entries": [(str(order.pk), 0, 20 * 10**9)]}


@pytest.mark.parametrize("changed", [{"amount_nanos": 26}, {"redeemed_at": None}])
def test_a_changed_code_is_found(code, changed):
    RedeemCode.objects.update(**changed)
    [row] = broken()["code is not its entry"]
    assert (row.id, row.found) == (str(code.pk), 25)


@pytest.mark.parametrize("name", ["topup:999", "topup:x:evt_1", "topup:"])
def test_an_entry_of_no_top_up_is_found(owner, name):
    entry = ledger.credit(organization=owner.organization, nanos=1, actor="test", reference=name)
    assert broken() == {"entry of a top-up that is not there": [(str(entry.pk), name, "a top-up")]}


def test_an_entry_of_no_code_is_found(owner):
    entry = ledger.grant(organization=owner.organization, nanos=1, actor="test", reference="code:7")
    assert broken() == {"entry of a code that is not there": [(str(entry.pk), "code:7", "a code")]}
