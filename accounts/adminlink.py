"""The one-time link that makes an administrator: no password exists before it is used.

The link is signed and names the newest administrator there was when it was made. Once
it has made one, that is no longer true, so that this link and all earlier ones are void,
on every node and without a row of its own.
"""

from allauth.account.models import EmailAddress
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.db.models import Max

from accounts import members
from accounts.models import User, Version
from accounts.versions import KEYS

SALT = "smartoken.adminlink"
VALID_SECONDS = 24 * 3600


class AdminLinkError(ValueError):
    """A link that can't be used; the message says how to get another."""


class AddressTakenError(ValueError):
    """Somebody has that address; the link is still good."""


def _newest_administrator() -> int:
    newest: int | None = User.objects.filter(is_superuser=True).aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def make_token() -> str:
    """Return the token of a link that is valid for a day, or until an administrator is made."""
    return TimestampSigner(salt=SALT).sign(str(_newest_administrator()))


def check_token(token: str) -> None:
    """Raise AdminLinkError for a token that was used, has expired or was never made here."""
    try:
        newest = TimestampSigner(salt=SALT).unsign(token, max_age=VALID_SECONDS)
    except BadSignature:
        newest = "invalid"
    if newest != str(_newest_administrator()):
        raise AdminLinkError("This link is not valid any more. `manage.py adminlink` prints a new one.")


@transaction.atomic
def create_administrator(*, token: str, email: str, password: str) -> User:
    """Use up the token: make its bearer an administrator, with an organization.

    Raises AdminLinkError or AddressTakenError.
    """
    Version.objects.select_for_update().get(name=KEYS)  # two at once take turns
    check_token(token)
    address = email.strip().lower()
    if User.objects.filter(email=address).exists():
        # A new row has the highest key, which is what voids the link.
        raise AddressTakenError("That address has an account already; choose another one for the administrator.")
    user = User.objects.create_superuser(address, password)
    EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
    members.create_organization(owner=user)
    return user
