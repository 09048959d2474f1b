"""Receipts: one for each paid order, for those alone who may see the wallet."""

from html import unescape

import pytest
from django.test import Client

from accounts import people
from accounts.models import Membership, User
from billing.models import LedgerEntry
from tests.billing.payments.stripe_api import dispute, paid, payment_of, refunded

RECEIPTS = "/console/receipts/"


def text(response) -> str:
    assert response.status_code == 200
    return unescape(response.content.decode())


@pytest.fixture
def order(deliver, make_order):
    order = make_order()
    deliver(paid(order))
    return order


def test_a_receipt_tells_what_was_paid(ann, order, settings):
    settings.OPERATOR = "Lab GmbH, Teststr. 1, Berlin"
    page = text(ann.get(f"{RECEIPTS}{order.pk}/"))
    entry = LedgerEntry.objects.get()
    facts = [settings.OPERATOR, settings.SMARTOKEN_URL, "ann@example.com", "$20.00", payment_of(order)]
    missing = [fact for fact in [*facts, order.organization.name, f"<dd>{entry.pk}</dd>"] if fact not in page]
    assert missing == []
    assert "Since then" not in page


def test_refunds_and_won_disputes_are_on_it(ann, order, deliver):
    for sent in (refunded(order, 500), dispute(order, cents=1500), dispute(order, "funds_reinstated")):
        deliver(sent)
    page = text(ann.get(f"{RECEIPTS}{order.pk}/"))
    assert [page.count(amount) for amount in ("-$5.00", ">-$15.00", ">$15.00")] == [1, 1, 2]
    assert "Paid in the end" in page


def test_another_orders_entries_are_not_on_it(ann, order, deliver, make_order):
    other = make_order(30)
    other.pk, other.session = int(f"{order.pk}0"), "cs_test_other"
    other.save(force_insert=True)
    deliver(paid(other))
    assert "$30.00" not in text(ann.get(f"{RECEIPTS}{order.pk}/"))


def test_paid_orders_alone_have_one(ann, order, make_order):
    waiting = make_order(40)
    assert ann.get(f"{RECEIPTS}{waiting.pk}/").status_code == 404
    page = text(ann.get(RECEIPTS))
    assert f"{RECEIPTS}{order.pk}/" in page
    assert f"{RECEIPTS}{waiting.pk}/" not in page


def test_the_wallet_leads_to_them(ann, order):
    assert RECEIPTS in text(ann.get("/console/wallet/"))
    assert f"{RECEIPTS}{order.pk}/" in text(ann.get("/console/wallet/", {"paid": order.pk}))


def test_an_empty_list_says_where_to_look(ann):
    assert "No receipt yet" in text(ann.get(RECEIPTS))
    assert RECEIPTS not in text(ann.get("/console/wallet/"))


def test_pages_of_receipts_follow_each_other(ann, make_order, monkeypatch):
    monkeypatch.setattr("billing.payments.receipts.PAGE", 2)
    made = [make_order() for _ in range(3)]
    type(made[0]).objects.update(state="paid")
    page = text(ann.get(RECEIPTS))
    assert f"after={made[1].pk}" in page
    assert f"{RECEIPTS}{made[0].pk}/" in text(ann.get(RECEIPTS, {"after": made[1].pk}))


@pytest.mark.parametrize("pk", ["0", "9" * 30])
def test_a_receipt_that_is_not_there_is_not_found(ann, pk):
    assert ann.get(f"{RECEIPTS}{pk}/").status_code == 404


def test_a_stranger_and_a_plain_member_do_not_see_it(order, owner):
    stranger = people.ensure_member(email="eve@example.com")[0].user
    plain = User.objects.create_user("mia@example.com")
    Membership.objects.create(user=plain, organization=owner.organization, role="member")
    for user, status in ((stranger, 404), (plain, 403)):
        client = Client()
        client.force_login(user)
        assert client.get(f"{RECEIPTS}{order.pk}/").status_code == status
    assert Client().get(f"{RECEIPTS}{order.pk}/").status_code == 302
