"""A person's own account, inside the console."""

import re
import time

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache

from accounts.models import User
from tests.passkeys import add_passkey

PASSWORD = "correct horse 99"


def read(client, path, **options):
    response = client.get(path, **options)
    assert response.status_code == 200, path
    return response.content.decode()


def read_code(secret):
    """The six digits that an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def test_account_pages_wear_the_console(alice):
    for path in ("/accounts/email/", "/accounts/password/set/", "/accounts/2fa/", "/accounts/sessions/"):
        assert 'aria-label="Console"' in read(alice, path)


def test_a_second_factor_can_be_set_up_after_the_password_once_more(alice):
    user = User.objects.get(email="alice@example.com")
    user.set_password(PASSWORD)
    user.save()
    alice.force_login(user)
    asked = alice.get("/accounts/2fa/totp/activate/", follow=True)
    assert "Confirm it is you" in asked.content.decode()
    form = alice.post(asked.redirect_chain[-1][0], {"password": PASSWORD}, follow=True).content.decode()
    secret = re.search(r'value="([A-Z2-7]{32})"', form).group(1)
    alice.post("/accounts/2fa/totp/activate/", {"code": read_code(secret)})
    assert "Turn off" in read(alice, "/accounts/2fa/")
    assert "10 of 10 are unused" in read(alice, "/accounts/2fa/")


def test_sessions_name_this_browser(client, alice):
    user = User.objects.get(email="alice@example.com")
    user.set_password(PASSWORD)
    user.save()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD}, headers={"user-agent": "Firefox 140"})
    html = read(client, "/accounts/sessions/")
    assert "Firefox 140" in html and "this one" in html


@pytest.mark.parametrize(
    ("host", "is_https", "offered"),
    [
        ("localhost:8000", False, True),
        ("127.0.0.1:8000", False, False),
        ("gateway.example", False, False),
        ("gateway.example", True, True),
        ("203.0.113.7", True, False),
    ],
)
def test_passkeys_are_offered_where_browsers_take_them(client, db, settings, host, is_https, offered):
    settings.SECURE, settings.ALLOWED_HOSTS = is_https, ["*"]
    html = read(client, "/accounts/login/", headers={"host": host})
    assert ("Sign in with a passkey" in html) is offered


def test_a_passkey_counts_as_the_second_proof(client, db):
    user = User.objects.create_user("dora@example.com", PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    add_passkey(user)
    sent = {"login": user.email, "password": PASSWORD}
    html = client.post("/accounts/login/", sent, follow=True, headers={"host": "localhost"}).content.decode()
    assert "Use the passkey" in html and "Recovery code" in html
    assert client.get("/console/").status_code == 302
    by_number = client.get("/accounts/2fa/authenticate/", headers={"host": "127.0.0.1"}).content.decode()
    assert "use a code instead" in by_number and "Use the passkey" not in by_number


def test_a_made_up_passkey_is_refused_in_words(client, db):
    for credential in ("", "null", "[]", "{}", '{"id": 1}', '{"response": {"userHandle": "MQ"}}', "NaN", "\0"):
        html = client.post("/accounts/2fa/webauthn/login/", {"credential": credential}, follow=True).content.decode()
        assert "The passkey was not accepted: try again." in html
        cache.clear()


def test_signing_in_says_how_long_it_lasts_and_does(client, alice, settings):
    settings.SESSION_COOKIE_AGE = 3 * 86_400
    assert "Stay signed in for 3 days" in read(client, "/accounts/login/")
    user = User.objects.get(email="alice@example.com")
    user.set_password(PASSWORD)
    user.save()
    for ticked, lasts in (({}, ""), ({"remember": "on"}, 3 * 86_400)):
        signed_in = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD} | ticked)
        assert signed_in.cookies["sessionid"]["max-age"] == lasts
        client.logout()
