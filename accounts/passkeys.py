"""Passkeys and security keys, by allauth: where they work, what they are called, what their forms take."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

NOT_ACCEPTED = "The passkey was not accepted: try again."
MAX_NAME = 60


def works_at(request: HttpRequest) -> bool:
    """Tell whether browsers let a site at this address use passkeys: a name over https, or localhost."""
    host = urlsplit(f"//{request.get_host()}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return bool(settings.SECURE) and not _is_number(host)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class MFAAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code is not right: take the newest one from your app, or an unused recovery code.",
        "unverified_email": "Confirm your e-mail addresses first, or remove those that are not confirmed.",
        "add_email_blocked": "An account with a second factor can take no further address.",
    }

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Authenticator.Type) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {count + 1}" if count else "Passkey"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return entity | {"name": f"SmarToken at {context.request.get_host()}"}


@contextmanager
def _refusing() -> Iterator[None]:
    """Say in our words that a credential is refused, also where allauth lets the parser's error out."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
        raise forms.ValidationError(NOT_ACCEPTED) from None
    except forms.ValidationError as error:
        if getattr(error, "code", "") != "incorrect_code":
            raise
        raise forms.ValidationError(NOT_ACCEPTED) from None


class PasskeyForm(AddWebAuthnForm):
    name = forms.CharField(
        required=False, max_length=MAX_NAME, help_text="Where it is kept, such as “work laptop” or “blue stick”."
    )
    passwordless = forms.BooleanField(
        label="Signs in alone, without the password",
        required=False,
        initial=True,
        help_text="It must then be unlocked by a finger, a face or a PIN. Untick it for a security key that is only "
        "asked for after the password.",
    )
    credential = forms.JSONField(
        widget=forms.HiddenInput,
        error_messages={"required": "The browser gave no passkey: try again.", "invalid": NOT_ACCEPTED},
    )

    def clean(self) -> dict[str, Any]:
        with _refusing():
            cleaned: dict[str, Any] = super().clean()
        return cleaned


class PasskeyNameForm(EditWebAuthnForm):
    name = forms.CharField(max_length=MAX_NAME)


class _Credential(AuthenticateWebAuthnForm):
    """What the browser hands over to prove who it is."""

    credential = forms.JSONField(
        widget=forms.HiddenInput, error_messages={"required": NOT_ACCEPTED, "invalid": NOT_ACCEPTED}
    )

    def clean_credential(self) -> Authenticator:
        with _refusing():
            return super().clean_credential()


class PasskeyLoginForm(_Credential, LoginWebAuthnForm):
    """Signs in."""


class PasskeyFactorForm(_Credential):
    """Signs in, after the password."""


class PasskeyAgainForm(_Credential, ReauthenticateWebAuthnForm):
    """Confirms that it is still the same person."""


class CodeForm(AuthenticateForm):
    """The second proof after the password, typed: the label says which codes this person has."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        kinds = set(Authenticator.objects.filter(user=self.user).values_list("type", flat=True))
        self.has_app, self.has_passkey = Authenticator.Type.TOTP in kinds, Authenticator.Type.WEBAUTHN in kinds
        self.fields["code"].label = "Code from your app, or a recovery code" if self.has_app else "Recovery code"
