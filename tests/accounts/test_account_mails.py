"""The mails about a person's account: what they say, and what happens where none can be sent."""

import pytest
from django.core import mail
from django.core.cache import cache

PHRASE = "a pass phrase nobody guesses"


def ask_reset(visitor, email):
    return visitor.client.post("/accounts/password/reset/", {"email": email}, follow=True).content.decode()


@pytest.fixture
def dora(visitor, mailed_link):
    """A browser whose person has confirmed her address."""
    visitor.sign_up("dora@example.com")
    visitor.confirm(mailed_link())
    mail.outbox.clear()
    cache.clear()  # one confirmation in three minutes is the rule
    return visitor


def test_a_confirmation_says_what_to_do_and_what_if_it_was_not_you(visitor, mailed_link):
    visitor.sign_up("dora@example.com")
    [sent] = mail.outbox
    assert sent.subject == "SmarToken: Confirm your address"
    assert sent.body.startswith("Confirm that this address is yours:\n\nhttp")
    assert "do nothing" in sent.body and sent.body.rstrip().endswith("SmarToken, 127.0.0.1:8000")


def test_whoever_has_an_account_is_told_by_mail_alone(dora, client):
    new = client.post("/accounts/signup/", {"email": "dora@example.com", "password1": PHRASE}, follow=True)
    assert "has an account" not in new.content.decode() and "Confirm your address" in new.content.decode()
    [sent] = mail.outbox
    assert sent.subject == "SmarToken: You have an account already"
    assert "/accounts/password/reset/" in sent.body and "Nothing was changed" in sent.body


@pytest.mark.parametrize(
    ("email", "subject", "part"),
    [
        ("dora@example.com", "Set a new password", "/accounts/password/reset/key/"),
        ("nobody@example.com", "No account with this address", "/accounts/signup/"),
    ],
)
def test_a_new_password_is_asked_for(dora, email, subject, part):
    ask_reset(dora, email)
    [sent] = mail.outbox
    assert sent.subject == f"SmarToken: {subject}" and part in sent.body


def test_who_changes_a_password_is_told_from_where(dora, settings):
    settings.ACCOUNT_EMAIL_NOTIFICATIONS = True
    given = {"oldpassword": PHRASE, "password1": "another phrase of hers", "password2": "another phrase of hers"}
    dora.client.post("/accounts/password/change/", given, headers={"user-agent": "Lynx"})
    [sent] = mail.outbox
    assert "Your account was changed" in sent.body and "It came from 127.0.0.1, with Lynx" in sent.body
    assert "phrase" not in sent.body


def test_without_a_mail_server_the_page_says_so_whoever_is_asked_for(dora, visitor, monkeypatch):
    def refuse(message, **options):
        raise ConnectionRefusedError

    monkeypatch.setattr(mail.EmailMessage, "send", refuse)
    pages = [ask_reset(dora, email) for email in ("dora@example.com", "nobody@example.com")]
    assert all("A mail could not be sent just now" in page for page in pages)
    dora.client.logout()
    assert "A mail could not be sent just now" in visitor.sign_up("mia@example.com")
