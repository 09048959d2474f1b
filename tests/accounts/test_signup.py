from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts import members
from accounts.adapter import give_signup_credit
from accounts.models import Invitation, Membership, Organization, User
from billing.ledger import get_wallet
from billing.models import LedgerEntry
from billing.money import NANOS


def test_a_new_user_owns_an_organization(visitor):
    visitor.sign_up("Dora@Example.com")
    membership = Membership.objects.get(user__email="dora@example.com")
    assert (membership.role, membership.organization.name) == ("owner", "dora")


def test_nothing_is_given_before_the_address_is_confirmed(visitor):
    visitor.sign_up("dora@example.com")
    assert not LedgerEntry.objects.exists()


def test_a_confirmed_address_gets_its_credit(visitor, mailed_link):
    visitor.sign_up("dora@example.com")
    visitor.confirm(mailed_link())
    organization = Organization.objects.get()
    assert get_wallet(organization=organization).free_nanos == NANOS
    assert LedgerEntry.objects.get().reference.startswith("signup:")


def test_the_credit_is_given_once_per_address_and_organization(visitor, mailed_link):
    visitor.sign_up("dora@example.com")
    visitor.confirm(mailed_link())
    first = EmailAddress.objects.get()
    second = EmailAddress.objects.create(user=first.user, email="other@example.com", verified=True)
    give_signup_credit(first)
    give_signup_credit(second)
    assert LedgerEntry.objects.count() == 1


def test_an_address_that_comes_back_gets_no_second_credit(visitor, mailed_link):
    visitor.sign_up("dora@example.com")
    visitor.confirm(mailed_link())
    first = EmailAddress.objects.get()
    User.objects.filter(pk=first.user_id).update(email="gone@example.com")
    again = User.objects.create_user("dora@example.com")
    organization = members.create_organization(owner=again)
    give_signup_credit(EmailAddress(user=again, email="dora@example.com"))
    assert get_wallet(organization=organization).free_nanos == 0


def test_no_credit_where_the_operator_gives_none(visitor, mailed_link, settings):
    settings.SIGNUP_CREDIT_USD = "0"
    visitor.sign_up("dora@example.com")
    visitor.confirm(mailed_link())
    assert not LedgerEntry.objects.exists()


def test_the_page_a_visitor_wanted_survives_sign_up_and_confirmation(visitor, mailed_link):
    visitor.sign_up("dora@example.com", next="/playground/?model=kimi")
    assert visitor.confirm(mailed_link()) == "/playground/?model=kimi"


def test_the_wanted_page_survives_in_another_browser(visitor, mailed_link):
    visitor.sign_up("dora@example.com", next="/playground/?model=kimi")
    response = Client().post(mailed_link())
    assert response.headers["Location"] == "/playground/?model=kimi"


def test_links_lead_to_the_public_address_whatever_the_host_header_says(visitor, mailed_link, settings):
    settings.SMARTOKEN_URL = "https://gateway.example"
    visitor.client.defaults["HTTP_HOST"] = "localhost:6666"
    visitor.sign_up("dora@example.com")
    assert mailed_link().startswith("https://gateway.example/accounts/confirm-email/")


def test_the_link_is_shown_where_no_mail_is_sent(visitor, mailed_link, settings):
    settings.MAIL_CONFIGURED, settings.EMBEDDED = False, True
    page = visitor.sign_up("dora@example.com")
    assert mailed_link() in page


@pytest.mark.parametrize(("has_mail", "is_embedded"), [(True, True), (False, False)])
def test_the_link_is_not_shown_elsewhere(visitor, mailed_link, settings, has_mail, is_embedded):
    settings.MAIL_CONFIGURED, settings.EMBEDDED = has_mail, is_embedded
    page = visitor.sign_up("dora@example.com")
    assert mailed_link() not in page


def test_closed_sign_up_makes_nobody(visitor, settings):
    settings.SIGNUP = "closed"
    visitor.sign_up("dora@example.com")
    assert not User.objects.exists()


def test_only_listed_domains_may_sign_up(visitor, settings):
    settings.SIGNUP, settings.SIGNUP_DOMAINS = "domains", ["lab.example"]
    page = visitor.sign_up("dora@example.com")
    assert "Sign-up is open for addresses at lab.example only." in page
    assert 'value="dora@example.com"' in page
    visitor.sign_up("dora@LAB.example")
    assert [user.email for user in User.objects.all()] == ["dora@lab.example"]


def test_only_invited_addresses_may_sign_up(visitor, settings, mailed_link):
    settings.SIGNUP = "invited"
    now = timezone.now()
    Invitation.objects.create(email="late@example.com", expires_at=now - timedelta(days=1))
    Invitation.objects.create(email="Dora@example.com", expires_at=now + timedelta(days=1))
    for email in ("late@example.com", "stranger@example.com"):
        assert "There is no open invitation" in visitor.sign_up(email)
    visitor.sign_up("dora@example.com")
    visitor.confirm(mailed_link())
    assert Invitation.objects.get(email="Dora@example.com").accepted_at


def test_a_closed_site_still_resets_passwords(alice, settings):
    settings.SIGNUP, settings.SIGNUP_DOMAINS = "domains", ["lab.example"]
    Client().post("/accounts/password/reset/", {"email": "alice@example.com"})
    assert mail.outbox[-1].to == ["alice@example.com"]


def test_an_address_that_is_taken_looks_like_a_new_one(visitor, alice):
    page = visitor.sign_up("alice@example.com")
    assert "Confirm your address" in page
    assert User.objects.count() == 1


def test_the_same_address_twice_at_once_makes_one_user(visitor, monkeypatch):
    """Between the form's check and the insert somebody else was faster."""
    User.objects.create_user("dora@example.com")
    monkeypatch.setattr(
        "allauth.account.internal.flows.manage_email.email_already_exists", lambda email: (email, False)
    )
    assert "Confirm your address" in visitor.sign_up("dora@example.com")
    assert User.objects.count() == 1
    assert not Organization.objects.exists()


def test_an_organization_that_fails_takes_its_user_with_it(visitor, monkeypatch):
    def fail(**options):
        with transaction.atomic():
            raise IntegrityError

    monkeypatch.setattr("accounts.adapter.create_organization", fail)
    visitor.sign_up("dora@example.com")
    assert not User.objects.exists()
