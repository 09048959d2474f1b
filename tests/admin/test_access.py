import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.models import LedgerEntry
from routing.pools import add_upstream

ALLOWED_INLINE = "script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"


def test_a_stranger_is_sent_to_sign_in(client, db):
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("flags", [{}, {"is_staff": True, "is_active": False}])
def test_only_active_staff_comes_in(db, flags):
    client = Client()
    client.force_login(User.objects.create_user("dev@example.com", **flags))
    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/login/").status_code in (302, 403)


def test_staff_sees_only_what_it_has_the_permission_for(db):
    client = Client()
    client.force_login(User.objects.create_user("staff@example.com", is_staff=True))
    assert client.get("/admin/").status_code == 200
    assert client.get(reverse("admin:routing_upstream_changelist")).status_code == 403


@pytest.fixture
def strict(settings):
    """A site whose staff needs a second factor."""
    settings.ADMIN_SECOND_FACTOR = True


def test_staff_without_a_second_factor_is_led_to_set_one_up(root, strict):
    answer = root.get("/admin/accounts/organization/", follow=True)
    assert answer.redirect_chain[-1][0] == reverse("mfa_index")
    assert "The admin asks for a second factor" in answer.content.decode()


@pytest.mark.parametrize(("kind", "status"), [("totp", 200), ("webauthn", 200), ("recovery_codes", 302)])
def test_an_app_or_a_key_is_a_second_factor_and_a_recovery_code_is_none(root, strict, kind, status):
    Authenticator.objects.create(user=User.objects.get(), type=kind, data={})
    assert root.get("/admin/").status_code == status


def test_without_a_second_factor_nothing_is_changed(root, strict, member):
    url = reverse("admin:accounts_organization_grant_credit", args=[member.organization_id])
    given = {"usd": "1", "reason": "x", "reference": "0" * 32}
    assert root.post(url, given).status_code == 302
    assert LedgerEntry.objects.filter(actor="root@example.com").count() == 0


def test_others_are_not_told_of_second_factors(strict, db):
    client = Client()
    client.force_login(User.objects.create_user("dev@example.com"))
    assert client.get("/admin/", follow=True).status_code == 403


def test_a_site_for_trying_out_asks_for_none(root):
    assert root.get("/admin/").status_code == 200


def test_the_content_policy_is_relaxed_for_the_admin_alone(root, client):
    assert ALLOWED_INLINE in root.get("/admin/")["Content-Security-Policy"]
    assert "unsafe" not in client.get("/accounts/login/")["Content-Security-Policy"]


def test_only_our_own_tables_are_shown(root):
    apps = {model._meta.app_label for model in admin.site._registry}
    assert apps == {"accounts", "billing", "routing"}


@pytest.mark.usefixtures("catalogue", "key")
def test_who_may_only_look_can_look_at_every_page(db):
    add_upstream(family="kimi", base_url="https://a.com", upstream_model="m", credential="sk-canary-7f3a")
    viewer = User.objects.create_user("viewer@example.com", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(viewer)
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist")).status_code == 200, name
        assert client.get(reverse(f"{name}_add")).status_code == 403, name
        if row := model.objects.first():
            page = client.get(reverse(f"{name}_change", args=[row.pk]))
            assert page.status_code == 200, name
            assert b"canary" not in page.content
            assert client.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403, name


@pytest.mark.usefixtures("catalogue", "key")
def test_every_list_and_page_opens(root):
    for model, page in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert root.get(reverse(f"{name}_changelist")).status_code == 200, name
        assert root.get(reverse(f"{name}_changelist"), {"q": "x"}).status_code == 200, name
        if row := model.objects.first():
            assert root.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200, name
        expected = 200 if page.has_add_permission(root.get("/admin/").wsgi_request) else 403
        assert root.get(reverse(f"{name}_add")).status_code == expected, name
