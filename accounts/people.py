"""Users made by an operator instead of by signing up."""

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts import audit
from accounts.members import create_organization, find_membership
from accounts.models import Membership, User


def find_user(*, email: str) -> User | None:
    """Return the user with this address, in whatever case it is written."""
    return User.objects.filter(email=email.strip().lower()).first()


@transaction.atomic
def ensure_member(*, email: str, actor: str = "") -> tuple[Membership, bool]:
    """Return the membership of the user with this address, and whether it had to be made.

    ``actor`` is the command that asks for it, empty where the person does.
    A new user has a confirmed address and no password: they set one by the reset mail.
    """
    user = find_user(email=email)
    if user is None:
        user = User.objects.create_user(email)
        audit.record_created(user, actor=actor or user.email)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    membership = find_membership(user=user)
    if membership:
        return membership, False
    create_organization(owner=user, actor=actor)
    membership = find_membership(user=user)
    assert membership
    return membership, True


def rename_user(*, user: User, name: str) -> None:
    """Change the name by which a person is shown."""
    user.name = name.strip()
    user.save(update_fields=["name"])
