import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts import keys, management_keys
from accounts.members import find_membership
from accounts.models import APIKey, AuditEntry, Invitation, Membership, Organization, User


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


def test_a_management_key_is_looked_at_and_found_but_not_its_secret(root, member):
    made, secret = management_keys.create(organization=member.organization, created_by=member.user, name="Rotation")
    shown = root.get(reverse("admin:accounts_managementkey_change", args=[made.pk])).content.decode()
    assert made.prefix in shown and secret not in shown and bytes(made.digest).hex() not in shown
    for term in (secret, "dev@example.com", str(member.organization_id)):
        assert "Rotation" in root.get(reverse("admin:accounts_managementkey_changelist"), {"q": term}).content.decode()
    assert root.get(reverse("admin:accounts_managementkey_add")).status_code == 403


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


def send_members(root, *rows):
    """Save the organization's page with these memberships, each with its changes; return the page that follows."""
    form = {"name": "dev", "time_zone": "UTC"}
    form |= {"memberships-TOTAL_FORMS": len(rows), "memberships-INITIAL_FORMS": len(rows)}
    for place, (row, changes) in enumerate(rows):
        own = {"id": row.pk, "organization": row.organization_id, "user": row.user_id, "role": row.role} | changes
        form |= {f"memberships-{place}-{name}": value for name, value in own.items()}
    url = reverse("admin:accounts_organization_change", args=[rows[0][0].organization_id])
    return root.post(url, form, follow=True).content.decode()


@pytest.fixture
def mia(member):
    """A second, plain member with a key."""
    user = User.objects.create_user("mia@example.com")
    membership = Membership.objects.create(user=user, organization=member.organization)
    keys.create_key(organization=member.organization, created_by=user, name="Mia's")
    return membership


def test_who_is_removed_in_the_admin_loses_their_keys_too(root, member, mia):
    send_members(root, (member, {}), (mia, {"DELETE": "on"}))
    assert not Membership.objects.filter(pk=mia.pk).exists()
    assert APIKey.objects.get().revoked_at


@pytest.mark.parametrize("change", [{"DELETE": "on"}, {"role": "member"}])
def test_the_admin_leaves_no_organization_without_an_owner(root, member, mia, change):
    assert "needs an owner" in send_members(root, (member, change), (mia, {}))
    assert Membership.objects.get(pk=member.pk).role == "owner"


def test_owners_change_places_in_the_admin(root, member, mia):
    send_members(root, (member, {"role": "member"}), (mia, {"role": "owner"}))
    assert set(Membership.objects.values_list("user__email", "role")) == {
        ("dev@example.com", "member"),
        ("mia@example.com", "owner"),
    }


def test_a_membership_does_not_become_another_persons(root, member, mia):
    other = User.objects.create_user("noah@example.com")
    assert "one person&#x27;s" in send_members(root, (member, {}), (mia, {"user": other.pk}))
    assert Membership.objects.get(pk=mia.pk).user == mia.user
