"""The one-time link that makes an administrator: no password exists before it is used.

The link is signed and names how many were used when it was made. A counter that only
rises tells whether that is still so: using one voids it and all earlier ones, on every
node, whatever becomes of the administrator it made.
"""

from allauth.account.models import EmailAddress
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction

from accounts import audit, members
from accounts.models import User, Version

SALT = "smartoken.adminlink"
ACTOR = "adminlink"
USED_LINKS = "adminlinks"
"""The counter's name among the versions."""

VALID_SECONDS = 24 * 3600


class AdminLinkError(ValueError):
    """A link that can't be used; the message says how to get another."""


class AddressTakenError(ValueError):
    """Somebody has that address; the link is still good."""


def make_token() -> str:
    """Return the token of a link that is valid for a day, or until one is used."""
    return TimestampSigner(salt=SALT).sign(str(_count_used()))


def _count_used() -> int:
    return Version.objects.get_or_create(name=USED_LINKS)[0].value


def check_token(token: str) -> None:
    """Raise AdminLinkError for a token that was used, has expired or was never made here."""
    try:
        used = TimestampSigner(salt=SALT).unsign(token, max_age=VALID_SECONDS)
    except BadSignature:
        used = "invalid"
    if used != str(_count_used()):
        raise AdminLinkError("This link is not valid any more. The command manage.py adminlink prints a new one.")


@transaction.atomic
def create_administrator(*, token: str, email: str, password: str) -> User:
    """Use up the token: make its bearer an administrator, with an organization.

    Raises AdminLinkError or AddressTakenError.
    """
    counter = Version.objects.select_for_update().get_or_create(name=USED_LINKS)[0]  # two at once take turns
    check_token(token)
    address = email.strip().lower()
    if User.objects.filter(email=address).exists():
        raise AddressTakenError("That address has an account already; choose another one for the administrator.")
    counter.value += 1
    counter.save()
    user = User.objects.create_superuser(address, password)
    EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
    audit.record_created(user, actor=ACTOR)
    members.create_organization(owner=user, actor=ACTOR)
    return user
