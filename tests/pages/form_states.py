"""Pages that show a form only to somebody in a certain state; ``bad_input`` looks at them too."""

import time
from collections.abc import Iterator

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse

from accounts import adminlink, invitations, management_keys, people
from accounts.models import Membership, User
from tests.pages.every_page import PASSWORD, Place, sign_in
from tests.passkeys import add_passkey


def states(place: Place) -> Iterator[tuple[Client, str]]:
    """Yield the browser and the page of each state."""
    yield Client(), reverse("admin_setup", args=[adminlink.make_token()])
    yield _half_signed_in("half@example.com"), reverse("mfa_authenticate")
    yield _with_app("app@example.com"), reverse("mfa_deactivate_totp")
    yield _with_app("app@example.com", is_recent=False), reverse("account_reauthenticate")
    yield _with_app("app@example.com", is_recent=False), reverse("mfa_reauthenticate")
    yield _with_passkey("passkey@example.com"), reverse("mfa_reauthenticate_webauthn")
    yield sign_in(_make_user("alone@example.com")), reverse("account_close")
    yield _nowhere("nowhere@example.com"), reverse("dashboard")
    browser, page = _invited(place, "bea@example.com")
    yield browser, page
    Membership.objects.filter(user__email="bea@example.com").delete()
    yield browser, reverse("dashboard")
    yield _in_two_organizations(place, "two@example.com"), reverse("dashboard")
    yield _with_management_key("manager@example.com"), reverse("management_keys")
    yield _forgetful("forgetful@example.com")
    new = EmailAddress.objects.create(user=_make_user("new-here@example.com"), email="other@example.com")
    yield Client(), reverse("account_confirm_email", args=[EmailConfirmationHMAC(new).key])


def _make_user(email: str) -> User:
    user: User = people.ensure_member(email=email)[0].user
    EmailAddress.objects.filter(user=user).update(verified=True)
    user.set_password(PASSWORD)
    user.save()
    return user


def _with_app(email: str, *, is_recent: bool = True) -> Client:
    user = _make_user(email)
    if not Authenticator.objects.filter(user=user).exists():
        TOTP.activate(user, generate_totp_secret())
        RecoveryCodes.activate(user)
    browser = sign_in(user)
    if not is_recent:
        session = browser.session
        session["account_authentication_methods"][0]["at"] = time.time() - 10_000
        session.save()
    return browser


def _with_passkey(email: str) -> Client:
    user = _make_user(email)
    add_passkey(user)
    return sign_in(user)


def _half_signed_in(email: str) -> Client:
    _with_app(email)
    add_passkey(User.objects.get(email=email))
    browser = Client()
    browser.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    return browser


def _nowhere(email: str) -> Client:
    user = _make_user(email)
    Membership.objects.filter(user=user).delete()
    return sign_in(user)


def _in_two_organizations(place: Place, email: str) -> Client:
    owner, user = place.people["owner"], _make_user(email)
    assert owner
    Membership.objects.create(user=user, organization=owner.memberships.get().organization)
    return sign_in(user)


def _with_management_key(email: str) -> Client:
    user = _make_user(email)
    organization = user.memberships.get().organization
    management_keys.create(organization=organization, created_by=user, name="A program")
    return sign_in(user)


def _invited(place: Place, email: str) -> tuple[Client, str]:
    owner = place.people["owner"]
    assert owner
    organization = owner.memberships.get().organization
    _, secret = invitations.invite(organization=organization, email=email, role="member", invited_by=owner)
    return sign_in(_make_user(email)), reverse("invitation", args=[secret])


def _forgetful(email: str) -> tuple[Client, str]:
    user, browser = _make_user(email), Client()
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    return browser, browser.get(f"/accounts/password/reset/key/{key}/").headers["Location"]
