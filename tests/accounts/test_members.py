"""Who joins an organization, in which role, and how they leave it."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.utils import timezone

from accounts import invitations, keys, management_keys, members
from accounts.models import APIKey, AuditEntry, Invitation, Membership, User


def invite(client, email="dora@example.com", role="member"):
    """Fill in the form; return the page that follows."""
    return client.post("/console/members/", {"email": email, "role": role}, follow=True).content.decode()


def link_in(html):
    return re.search(r"http://\S+?(/invitations/[\w-]+/)", html)[1]


@pytest.fixture
def owner(alice, sign_in):
    return sign_in(alice)


@pytest.fixture
def dora(db, sign_in):
    """Somebody with a confirmed address and no organization."""
    user = User.objects.create_user("dora@example.com")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return sign_in(Membership(user=user))


def test_the_link_is_shown_once_where_there_is_no_mail(owner, settings):
    settings.MAIL_CONFIGURED = False
    assert "/invitations/" in invite(owner)
    assert "/invitations/" not in owner.get("/console/members/").content.decode().replace("/members/invitations/", "")
    assert mail.outbox == []


def test_the_link_goes_out_by_mail(owner, settings):
    settings.MAIL_CONFIGURED = True
    html = invite(owner)
    assert mail.outbox[0].to == ["dora@example.com"]
    assert link_in(mail.outbox[0].body) == link_in(html)


def test_nobody_is_mailed_without_end(owner, settings, monkeypatch):
    settings.MAIL_CONFIGURED = True
    monkeypatch.setattr(invitations, "MOST_A_DAY", 2)
    pages = [invite(owner) for _ in range(3)]
    assert len(mail.outbox) == 2
    assert "made within a day" in pages[2] and 'value="dora@example.com"' in pages[2]
    assert owner.get(link_in(pages[1])).status_code == 200, "the last link goes on working"


def test_an_invited_person_joins_once(owner, dora, alice):
    link = link_in(invite(owner, role="admin"))
    assert dora.post(link).url == "/console/"
    joined = Membership.objects.get(user__email="dora@example.com")
    assert (joined.organization, joined.role) == (alice.organization, "admin")
    assert dora.get("/console/").status_code == 200
    assert dora.get(link).status_code == 410


def test_only_the_invited_address_can_join(owner, bob, sign_in):
    link = link_in(invite(owner))
    page = sign_in(bob).get(link).content.decode()
    assert "not among your confirmed addresses" in page
    assert sign_in(bob).post(link).status_code == 410
    assert bob.user.memberships.count() == 1


def test_an_address_that_is_not_confirmed_cannot_join(owner, dora):
    EmailAddress.objects.update(verified=False)
    assert dora.post(link_in(invite(owner))).status_code == 410


@pytest.mark.parametrize("end", ["expired", "withdrawn", "replaced"])
def test_a_link_that_is_over_says_so(owner, dora, end):
    link = link_in(invite(owner))
    if end == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif end == "withdrawn":
        owner.post(f"/console/members/invitations/{Invitation.objects.get().pk}/withdraw/")
    else:
        invite(owner)
    assert "can't be used" in dora.get(link).content.decode()
    assert dora.post(link).status_code == 410


def test_the_secret_is_not_stored(owner):
    secret = link_in(invite(owner)).split("/")[2]
    assert secret not in str(Invitation.objects.values()) + str(AuditEntry.objects.values())


@pytest.mark.parametrize(
    ("email", "problem"), [("alice@example.com", "member already"), ("no", "valid"), ("", "required")]
)
def test_who_cannot_be_invited_is_told_at_the_field(owner, email, problem):
    html = invite(owner, email=email)
    assert problem in html
    assert f'value="{email}"' in html or not email


def test_a_new_person_signs_up_into_the_organization_alone(owner, visitor, mailed_link, alice, settings):
    settings.SIGNUP = "invited"
    link = link_in(invite(owner))
    visitor.sign_up("dora@example.com", next=link)
    assert visitor.confirm(mailed_link()).endswith(link)
    visitor.client.post(link)
    assert [each.organization for each in Membership.objects.filter(user__email="dora@example.com")] == [
        alice.organization
    ]


def test_who_has_no_organization_sees_what_waits(owner, dora, alice):
    invite(owner)
    page = dora.get("/console/")
    assert page.status_code == 403
    assert "invites you to" in page.content.decode()
    dora.post(f"/invitations/{Invitation.objects.get().pk}/accept/")
    assert dora.get("/console/").status_code == 200


def test_who_waits_for_nothing_makes_an_organization_of_their_own(dora):
    dora.post("/console/organization/new/")
    dora.post("/console/organization/new/")
    assert Membership.objects.get().role == "owner"


def test_a_role_is_changed_and_told(owner, carol):
    owner.post(f"/console/members/{carol.pk}/role/", {"role": "admin"})
    carol.refresh_from_db()
    assert carol.role == "admin"
    entry = AuditEntry.objects.order_by("pk").last()
    assert (entry.action, entry.before, entry.after) == ("member.update", {"role": "member"}, {"role": "admin"})


def test_who_is_removed_loses_access_and_keys_at_once(owner, carol, sign_in):
    key, _ = keys.create_key(organization=carol.organization, created_by=carol.user, name="Carol's")
    browser = sign_in(carol)
    assert browser.get("/console/keys/").status_code == 200
    owner.post(f"/console/members/{carol.pk}/remove/")
    assert browser.get("/console/keys/").status_code == 403
    assert APIKey.objects.get(pk=key.pk).revoked_at


def test_who_is_removed_does_not_manage_by_a_program(alice, carol):
    members.set_role(membership=carol, role="owner", actor="test")
    _, secret = management_keys.create(organization=carol.organization, created_by=carol.user, name="job")
    assert management_keys.find_membership(secret) == carol
    members.remove_member(membership=carol, actor="test")
    Membership.objects.create(user=carol.user, organization=alice.organization, role="owner")
    assert management_keys.find_membership(secret) is None, "not even when she is owner again"


def test_keys_of_who_is_removed_can_be_handed_over(owner, alice, carol):
    key, secret = keys.create_key(organization=carol.organization, created_by=carol.user, name="Carol's")
    page = owner.get(f"/console/members/{carol.pk}/remove/").content.decode()
    assert "Hand over to alice@example.com" in page
    owner.post(f"/console/members/{carol.pk}/remove/", {"heir": alice.pk})
    key.refresh_from_db()
    assert (key.created_by, key.revoked_at, key.digest) == (alice.user, None, keys.digest_secret(secret))
    entry = AuditEntry.objects.get(action="key.update")
    assert (entry.before, entry.after) == ({"created_by": "carol@example.com"}, {"created_by": "alice@example.com"})


def test_who_leaves_hands_keys_over_to_owners_alone(alice, carol, sign_in):
    key, _ = keys.create_key(organization=carol.organization, created_by=carol.user, name="Carol's")
    erin = User.objects.create_user("erin@example.com")
    other = Membership.objects.create(user=erin, organization=alice.organization)
    page = sign_in(carol).post("/console/leave/", {"heir": other.pk}).content.decode()
    assert "erin@example.com" not in page and Membership.objects.filter(pk=carol.pk).exists()
    sign_in(carol).post("/console/leave/", {"heir": alice.pk})
    assert APIKey.objects.get(pk=key.pk).created_by == alice.user


def test_an_owner_hands_a_key_over(owner, carol):
    key, _ = keys.create_key(organization=carol.organization, created_by=carol.user, name="Carol's")
    page = f"/console/keys/{key.pk}/hand-over/"
    assert "Choose a member" in owner.post(page, {}).content.decode()
    assert "not one of the available" in owner.post(page, {"heir": carol.pk}).content.decode()
    heir = carol.organization.memberships.get(user__email="alice@example.com")
    assert "answers for" in owner.post(page, {"heir": heir.pk}, follow=True).content.decode()
    assert APIKey.objects.get(pk=key.pk).created_by == heir.user


def test_a_plain_member_hands_nothing_over(alice, carol, sign_in):
    key, _ = keys.create_key(organization=carol.organization, created_by=carol.user, name="Carol's")
    assert sign_in(carol).post(f"/console/keys/{key.pk}/hand-over/", {"heir": alice.pk}).status_code == 403
    assert APIKey.objects.get(pk=key.pk).created_by == carol.user


def test_nobody_inherits_who_is_no_member(alice, bob, carol):
    key, _ = keys.create_key(organization=carol.organization, created_by=carol.user, name="Carol's")
    for heir in (bob, carol):
        with pytest.raises(members.MemberError, match="nothing was changed"):
            members.remove_member(membership=carol, actor="test", heir=heir)
    assert APIKey.objects.get(pk=key.pk).created_by == carol.user


def test_who_is_removed_twice_at_once_is_removed_once(carol):
    members.remove_member(membership=carol, actor="test")
    members.remove_member(membership=carol, actor="test")
    assert AuditEntry.objects.filter(action="member.delete").count() == 1


def test_who_is_removed_makes_no_key_any_more(alice, carol):
    members.remove_member(membership=carol, actor="test")
    with pytest.raises(keys.KeyInputError, match="no member of"):
        keys.create_key(organization=alice.organization, created_by=carol.user, name="late")


def test_many_members_come_in_pages(owner, alice):
    users = User.objects.bulk_create(User(email=f"member-{number}@example.com") for number in range(60))
    Membership.objects.bulk_create(Membership(user=user, organization=alice.organization) for user in users)
    first = owner.get("/console/members/").content.decode()
    older = re.search(r'rel="next" href="([^"]+)"', first)[1]
    second = owner.get(f"/console/members/{older}").content.decode()
    assert [page.count('aria-label="Role of') for page in (first, second)] == [50, 11]
    assert 'rel="next"' not in second


def test_a_member_leaves(carol, sign_in):
    sign_in(carol).post("/console/leave/")
    assert not Membership.objects.filter(pk=carol.pk).exists()


def test_the_last_owner_stays(owner, alice):
    owner.post(f"/console/members/{alice.pk}/role/", {"role": "member"})
    owner.post(f"/console/members/{alice.pk}/remove/")
    page = owner.post("/console/leave/", follow=True).content.decode()
    assert "needs an owner" in page
    alice.refresh_from_db()
    assert alice.role == "owner"


@pytest.mark.parametrize("role", ["admin", "member"])
def test_others_decide_nothing(alice, carol, sign_in, role):
    Membership.objects.filter(pk=carol.pk).update(role=role)
    browser = sign_in(carol)
    assert browser.get("/console/members/").status_code == 403
    for address in (f"{alice.pk}/remove/", f"{carol.pk}/role/"):
        assert browser.post(f"/console/members/{address}", {"role": "owner"}).status_code == 403
    assert browser.get("/console/wallet/").status_code == 403


def test_another_organizations_members_are_not_found(owner, bob):
    for address in (f"{bob.pk}/remove/", f"{bob.pk}/role/"):
        assert owner.post(f"/console/members/{address}", {"role": "member"}).status_code == 404


def test_a_person_switches_between_organizations(owner, alice, bob, sign_in):
    Membership.objects.create(user=alice.user, organization=bob.organization, role="member")
    assert f"Switch to {bob.organization.name}" in owner.get("/console/").content.decode()
    owner.post("/console/organization/", {"organization": bob.organization_id})
    assert owner.get("/console/").context["request"].membership.organization == bob.organization


def test_nobody_switches_to_where_they_do_not_belong(owner, alice, bob):
    owner.post("/console/organization/", {"organization": bob.organization_id})
    assert owner.get("/console/").context["request"].membership.organization == alice.organization


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_leave_one(alice, bob):
    second = Membership.objects.create(user=bob.user, organization=alice.organization, role="owner")

    def remove(membership):
        try:
            members.remove_member(membership=membership, actor="test")
        except members.MemberError:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(remove, [alice, second]))
    assert Membership.objects.filter(organization=alice.organization, role="owner").count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_link_used_twice_at_once_joins_once(alice, bob):
    EmailAddress.objects.update(verified=True)
    _, secret = invitations.invite(
        organization=alice.organization, email=bob.user.email, role="member", invited_by=alice.user
    )
    invitation = invitations.find_by_secret(secret)

    def join(_):
        try:
            return invitations.join(invitation=invitation, user=bob.user)
        except invitations.InvitationError:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        joined = [membership for membership in pool.map(join, range(4)) if membership]
    assert len(joined) == 1
