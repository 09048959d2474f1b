"""Closing a person's account: what becomes of their organizations, and of themselves.

The person's row stays, without a name or an address: keys, usage and the ledger refer to it.
The audit log and the ledger's entries keep the address of who did something, as it was then.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import QuerySet

from accounts import audit, members
from accounts.members import MemberError, list_memberships
from accounts.models import Invitation, Membership, Organization, User

CLOSED = "@closed.invalid"
"""How the address ends that stands for a closed account's; nobody can have one there."""


@dataclass(frozen=True, slots=True)
class Parting:
    """What closing the account does to one membership: the organization closes, is left, or stands in the way."""

    membership: Membership
    is_alone: bool
    is_last_owner: bool

    @property
    def stands_in_the_way(self) -> bool:
        return self.is_last_owner and not self.is_alone


def list_partings(*, user: User) -> list[Parting]:
    """Return what would become of each open organization of this person."""
    return [_part(membership) for membership in list_memberships(user=user)]


def _part(membership: Membership) -> Parting:
    others = Membership.objects.filter(organization=membership.organization_id, user__is_active=True)
    others = others.exclude(pk=membership.pk)
    is_owner = membership.role == Membership.Role.OWNER
    return Parting(
        membership=membership,
        is_alone=not others.exists(),
        is_last_owner=is_owner and not others.filter(role=Membership.Role.OWNER).exists(),
    )


@transaction.atomic
def close_account(*, user: User) -> None:
    """Close or leave the person's organizations, and forget who they were.

    Nobody signs in as them any more, and open sessions end with the next request.
    Raises MemberError where another member would be left without an owner.
    """
    if user.is_staff:
        raise MemberError("An administrator's account is closed by another administrator.")
    _lock_organizations(user)
    partings = list_partings(user=user)
    for parting in partings:
        if parting.stands_in_the_way:
            name = parting.membership.organization.name
            raise MemberError(f"{name} would have no owner: make somebody else one first, or remove its members.")
    _leave(partings, actor=user.email)
    audit.record(actor=user.email, action="user.close", target=f"user {user.email}")
    _forget(user)


def _lock_organizations(user: User) -> None:
    """Let no other change of the same members come between; always in the same order, so that none waits in a ring."""
    own = Organization.objects.filter(memberships__user=user).order_by("pk").values_list("pk", flat=True)
    list(Organization.objects.select_for_update(no_key=True).filter(pk__in=list(own)).order_by("pk"))


def _leave(partings: Sequence[Parting], *, actor: str) -> None:
    for parting in partings:
        if parting.is_alone:
            members.set_closed(organization=parting.membership.organization, is_closed=True, actor=actor)
        else:
            members.remove_member(membership=parting.membership, actor=actor)


def _forget(user: User) -> None:
    addresses = {user.email, *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
    addresses = {address.lower() for address in addresses}
    Invitation.objects.filter(email__in=addresses).delete()
    Invitation.objects.filter(invited_by__in=addresses).update(invited_by="")
    for rows in (EmailAddress.objects, Authenticator.objects, UserSession.objects):
        rows.filter(user=user).delete()
    # Not to be guessed: whoever signed up with it before would stand in the way.
    user.name, user.email, user.is_active = "", f"closed-{user.pk}-{secrets.token_hex(8)}{CLOSED}", False
    user.set_unusable_password()
    user.save(update_fields=["name", "email", "is_active", "password"])


def list_closed() -> QuerySet[User]:
    """Return the people whose accounts are closed: what other apps keep of them is to go."""
    return User.objects.filter(is_active=False, email__endswith=CLOSED)
