import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts import keys
from accounts.members import find_membership
from accounts.models import APIKey, AuditEntry, Invitation, Organization, User


def test_an_organization_shows_its_wallet(root, member):
    page = root.get(reverse("admin:accounts_organization_change", args=[member.organization_id]))
    assert b"$25.00 available" in page.content


def test_a_key_is_revoked_by_post_only(root, key):
    url = reverse("admin:accounts_apikey_revoke", args=[key.pk])
    assert root.get(url).status_code == 200
    assert APIKey.objects.get().revoked_at is None
    assert root.post(url).status_code == 302
    assert APIKey.objects.get().revoked_at


def test_a_key_shows_neither_secret_nor_digest(root, key):
    page = root.get(reverse("admin:accounts_apikey_change", args=[key.pk])).content.decode()
    assert key.prefix in page
    assert key.secret not in page
    assert bytes(key.digest).hex() not in page


def test_a_pasted_key_is_found_by_its_beginning(root, key):
    page = root.get(reverse("admin:accounts_apikey_changelist"), {"q": key.prefix})
    assert b"Build server" in page.content


@pytest.mark.parametrize("table", ["user", "organization"])
def test_what_money_hangs_on_is_kept_and_the_reason_said(root, key, table):
    row = {"user": key.created_by, "organization": key.organization}[table]
    answer = root.post(reverse(f"admin:accounts_{table}_delete", args=[row.pk]), {"post": "yes"}, follow=True)
    assert f"{row} can&#x27;t be deleted" in answer.content.decode()
    assert User.objects.filter(email="dev@example.com").exists()
    assert Organization.objects.exists()


def test_a_senseless_time_zone_is_refused(root, member):
    url = reverse("admin:accounts_organization_change", args=[member.organization_id])
    inline = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    assert root.post(url, {"name": "New", "time_zone": "../etc/passwd"} | inline).status_code == 200
    assert root.post(url, {"name": "New", "time_zone": "Asia/Shanghai"} | inline).status_code == 302
    assert Organization.objects.get().time_zone == "Asia/Shanghai"


def test_staff_cannot_make_itself_superuser(db):
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client = Client()
    client.force_login(staff)
    url = reverse("admin:accounts_user_change", args=[staff.pk])
    assert client.post(url, {"name": "Boss", "is_superuser": "on", "is_staff": "on"}).status_code in (200, 302)
    assert not User.objects.get().is_superuser


def test_an_invitation_is_made(root):
    given = {"email": "New@Example.com", "expires_at_0": "2030-01-01", "expires_at_1": "00:00:00"}
    assert root.post(reverse("admin:accounts_invitation_add"), given).status_code == 302
    assert Invitation.objects.get().email == "new@example.com"


def test_an_organization_is_closed_and_opened_again(root, member, key):
    page = reverse("admin:accounts_organization_close", args=[member.organization_id])
    assert "keys and its Playground are refused" in root.get(page).text
    assert Organization.objects.get(pk=member.organization_id).closed_at is None  # asking closes nothing
    root.post(page)
    assert keys.find_revoked([key.pk]) == {key.pk}
    assert find_membership(user=member.user) is None
    root.post(page)
    assert keys.find_revoked([key.pk]) == set()
    changes = AuditEntry.objects.filter(action="organization.update").order_by("pk")
    closed, _ = changes
    assert (closed.actor, closed.before["closed_at"]) == ("root@example.com", None)
