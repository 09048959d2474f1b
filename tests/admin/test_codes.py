from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.models import PaymentEvent, RedeemCode
from billing.payments import codes, orders

MAKE = "admin:billing_redeemcode_make"
GIVEN = {"usd": "5", "count": "3", "batch": "fair", "expires_on": ""}


def test_codes_are_shown_once(root):
    page = root.post(reverse(MAKE), GIVEN)
    rows = list(RedeemCode.objects.all())
    assert {(row.amount_nanos, row.batch, row.created_by) for row in rows} == {(5 * 10**9, "fair", "root@example.com")}
    made = page.context["codes"]
    assert len(made) == 3
    assert all(code in page.content.decode() for code in made)
    assert "no-store" in page["Cache-Control"]
    later = root.get(reverse("admin:billing_redeemcode_changelist")).content.decode()
    later += root.get(reverse("admin:billing_redeemcode_change", args=[rows[0].pk])).content.decode()
    assert not any(code[5:] in later for code in made)
    assert all(row.hint in later for row in rows)


@pytest.mark.parametrize(
    "wrong",
    [{"usd": "0"}, {"usd": "x"}, {"count": "0"}, {"count": "501"}, {"batch": ""}, {"expires_on": "2001-01-01"}],
)
def test_senseless_codes_are_not_made(root, wrong):
    assert root.post(reverse(MAKE), GIVEN | wrong).status_code == 400
    assert not RedeemCode.objects.exists()


def test_a_last_day_ends_at_midnight(root):
    day = (timezone.now() + timedelta(days=3)).date()
    assert root.post(reverse(MAKE), GIVEN | {"expires_on": f"{day}"}).status_code == 200
    assert RedeemCode.objects.first().expires_at == codes.end_of_day(day)


def test_who_may_only_look_makes_none(db):
    viewer = User.objects.create_user("viewer@example.com", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_redeemcode"))
    client = Client()
    client.force_login(viewer)
    assert client.get(reverse("admin:billing_redeemcode_changelist")).status_code == 200
    assert client.post(reverse(MAKE), GIVEN).status_code == 403
    assert not RedeemCode.objects.exists()


@pytest.mark.parametrize("find", ["hint", "code", "batch"])
def test_a_code_is_found_by_what_is_kept_of_it(root, find):
    [code] = codes.make_codes(count=1, nanos=1, batch="fair", created_by="test")
    term = {"hint": code[:4].lower(), "code": code, "batch": "fair"}[find]
    page = root.get(reverse("admin:billing_redeemcode_changelist"), {"q": term}).content.decode()
    assert f"/redeemcode/{RedeemCode.objects.get().pk}/" in page


@pytest.mark.parametrize("find", ["organization", "email", "session"])
def test_an_order_is_found_and_only_looked_at(root, member, find):
    order = orders.open_order(organization=member.organization, user=member.user, nanos=20 * 10**9)
    orders.keep_session(order=order, session="cs_1")
    term = {"organization": member.organization_id, "email": "Dev@example.com", "session": "cs_1"}[find]
    page = root.get(reverse("admin:billing_topup_changelist"), {"q": str(term)}).content.decode()
    assert f"/topup/{order.pk}/" in page
    assert "$20" in root.get(reverse("admin:billing_topup_change", args=[order.pk])).content.decode()
    assert root.post(reverse("admin:billing_topup_change", args=[order.pk]), {}).status_code == 403


def test_an_event_that_a_person_must_look_at_is_found(root):
    PaymentEvent.objects.create(id="evt_good", kind="charge.refunded")
    PaymentEvent.objects.create(id="evt_bad", kind="charge.refunded", problem="another amount was paid")
    page = root.get(reverse("admin:billing_paymentevent_changelist"), {"problem": "yes"}).content.decode()
    assert "another amount was paid" in page
    assert "evt_good" not in page
    assert "evt_bad" in root.get(reverse("admin:billing_paymentevent_change", args=["evt_bad"])).content.decode()
