"""A person's own account, inside the console."""

import re
import time

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from accounts.models import User

PASSWORD = "correct horse 99"


def read(client, path):
    response = client.get(path)
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
