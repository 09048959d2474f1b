"""What becomes of a person, their organizations and keys when they close their account."""

import time

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts import invitations, keys, members
from accounts.closing import close_account
from accounts.members import MemberError
from accounts.models import AuditEntry, Invitation, Membership, User
from billing import ledger
from playground import history, tasks
from playground.models import Conversation, HistoryChoice

PATH = "/console/settings/close/"


def sign_in_recently(client):
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session.save()
    return client


def test_a_closed_account_takes_its_organization_and_its_name_with_it(alice, sign_in):
    browser, other = sign_in_recently(sign_in(alice)), sign_in(alice)
    assert browser.post(PATH, {"email": " Alice@example.com"}).url == "/"
    alice.user.refresh_from_db()
    alice.organization.refresh_from_db()
    assert not alice.user.is_active and "alice" not in alice.user.email
    assert alice.organization.closed_at and not EmailAddress.objects.exists()
    assert other.get("/console/").status_code == 302, "other sessions end at once"
    assert AuditEntry.objects.filter(action="user.close", actor="alice@example.com").exists()


SAID = {"columns": [{"model": "kimi", "messages": [{"role": "user", "content": "Who am I?"}]}]}


def test_the_playground_history_goes_from_every_organization(alice, carol, bob, sign_in):
    elsewhere = Membership.objects.create(user=carol.user, organization=bob.organization)
    for membership in (carol, elsewhere, bob):
        history.save(membership=membership, content=SAID)
    members.remove_member(membership=elsewhere, actor="test")
    sign_in_recently(sign_in(carol)).post(PATH, {"email": "carol@example.com"})
    assert [row.user for row in Conversation.objects.all()] == [bob.user]


def test_a_closing_that_is_cut_off_is_finished_later(alice, bob):
    for membership in (alice, bob):
        history.save(membership=membership, content=SAID)
        history.choose(membership=membership, keeps=True)
    close_account(user=alice.user)  # and nothing of what the page does behind it
    for _ in range(2):
        tasks.forget_history()
    assert [row.user for row in (*Conversation.objects.all(), *HistoryChoice.objects.all())] == [bob.user] * 2


def test_invitations_forget_the_address(alice, carol, bob):
    mine, _ = invitations.invite(
        organization=alice.organization, email="dora@example.com", role="member", invited_by=carol.user
    )
    invitations.invite(organization=bob.organization, email="carol@example.com", role="member", invited_by=bob.user)
    close_account(user=carol.user)
    assert [(row.pk, row.invited_by) for row in Invitation.objects.all()] == [(mine.pk, "")]


def test_nobody_can_stand_in_the_way_of_a_closing(alice):
    User.objects.create_user(f"closed-{alice.user.pk}@closed.invalid")
    close_account(user=alice.user)
    assert not alice.user.is_active


def test_the_page_says_how_long_records_are_kept(alice, sign_in, settings):
    settings.USAGE_DAYS = 77
    assert "usage records for 77 days" in sign_in_recently(sign_in(alice)).get(PATH).content.decode()


def test_a_recent_sign_in_is_asked_for(alice, sign_in):
    alice.user.set_password("a pass phrase")
    alice.user.save()
    response = sign_in(alice).post(PATH, {"email": "alice@example.com"})
    assert "/accounts/reauthenticate" in response.url
    alice.user.refresh_from_db()
    assert alice.user.is_active


def test_credit_that_is_left_is_named(alice, sign_in):
    ledger.grant(organization=alice.organization, nanos=5 * 10**9, actor="test")
    html = sign_in_recently(sign_in(alice)).get(PATH).content.decode()
    assert "$5.00 of credit is left" in html


def test_a_last_owner_with_members_stays(alice, carol, sign_in):
    html = sign_in_recently(sign_in(alice)).get(PATH).content.decode()
    assert "make somebody else an owner" in html and "Close the account</button>" not in html
    with pytest.raises(MemberError, match="would have no owner"):
        close_account(user=alice.user)
    assert not Membership.objects.get(pk=alice.pk).organization.closed_at


def test_a_member_leaves_and_the_organization_goes_on(alice, carol):
    theirs = keys.create_key(organization=alice.organization, created_by=carol.user, name="hers")[0]
    owners = keys.create_key(organization=alice.organization, created_by=alice.user, name="the owner's")[0]
    close_account(user=carol.user)
    for key in (theirs, owners):
        key.refresh_from_db()
    alice.organization.refresh_from_db()
    assert theirs.revoked_at and not owners.revoked_at and not alice.organization.closed_at


def test_a_person_without_an_organization_can_close_too(alice, sign_in):
    alice.organization.memberships.all().delete()
    browser = sign_in_recently(sign_in(alice))
    assert browser.get(PATH).status_code == 200
    html = browser.post(PATH, {"email": "somebody@example.com"}).content.decode()
    assert "not the address of this account" in html and 'value="somebody@example.com"' in html
    assert browser.post(PATH, {"email": "alice@example.com"}).status_code == 302


def test_an_administrator_is_not_closed_here(alice):
    alice.user.is_staff = True
    with pytest.raises(MemberError, match="another administrator"):
        close_account(user=alice.user)


def test_organizations_closed_before_do_not_matter(alice, carol):
    alice.organization.closed_at = timezone.now()
    alice.organization.save()
    close_account(user=alice.user)
    assert not alice.user.is_active
