"""Invitations: to sign up while the site takes invited people only, and to join an organization.

An invitation to join is for one address, once, for seven days: its link holds a secret of
which only the digest is stored, and a guarded update decides who uses it first.
"""

import hashlib
import secrets
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit
from accounts.models import AuditEntry, Invitation, Membership, Organization, User

LASTS = timedelta(days=7)
MOST_OPEN = 50
"""Open invitations of one organization: each may send a mail to somebody who knows nothing of it."""
MOST_A_DAY = 100
"""Invitations that one organization makes in 24 hours, those that were withdrawn or replaced too: each was a mail."""


class InvitationError(ValueError):
    """An invitation that can't be made or used; the message is for people."""


def list_open(*, organization: Organization) -> QuerySet[Invitation]:
    """Return the invitations to join that nobody accepted yet, expired ones too, newest first."""
    return organization.invitations.filter(accepted_at=None).order_by("-created_at", "-pk")


@transaction.atomic
def invite(*, organization: Organization, email: str, role: str, invited_by: User) -> tuple[Invitation, str]:
    """Invite an address, in place of an earlier invitation; return it with the secret of its link.

    Raises InvitationError.
    """
    email = email.strip().lower()
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if organization.memberships.filter(user__email=email).exists():
        raise InvitationError(f"{email} is a member already.")
    if _count_made(organization) >= MOST_A_DAY:
        raise InvitationError(f"{MOST_A_DAY} invitations were made within a day: go on tomorrow.")
    for earlier in list_open(organization=organization).filter(email=email):
        withdraw(invitation=earlier, actor=invited_by.email)
    if list_open(organization=organization).count() >= MOST_OPEN:
        raise InvitationError(f"There are {MOST_OPEN} open invitations: withdraw some first.")
    secret = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        email=email,
        organization=organization,
        role=role,
        digest=_digest(secret),
        invited_by=invited_by.email,
        expires_at=timezone.now() + LASTS,
    )
    audit.record_created(invitation, actor=invited_by.email)
    return invitation, secret


def _count_made(organization: Organization) -> int:
    """Return how many invitations were made in the last 24 hours; the audit log knows those that are gone too."""
    made = AuditEntry.objects.filter(organization=organization, action="invitation.create")
    return made.filter(created_at__gt=timezone.now() - timedelta(days=1)).count()


@transaction.atomic
def withdraw(*, invitation: Invitation, actor: str) -> None:
    """Take an open invitation back: its link leads nowhere from now on."""
    audit.record_deleted(invitation, actor=actor)
    Invitation.objects.filter(pk=invitation.pk, accepted_at=None).delete()


def find_by_secret(secret: str) -> Invitation | None:
    """Return the invitation whose link this is, while it can be used."""
    open_ones = _usable().filter(organization__closed_at=None).select_related("organization")
    return open_ones.filter(digest=_digest(secret)).first()


def list_waiting(*, user: User) -> list[Invitation]:
    """Return the invitations to join that wait for one of the user's confirmed addresses."""
    open_ones = _usable().filter(organization__isnull=False, organization__closed_at=None)
    return list(open_ones.filter(email__in=_addresses(user)).select_related("organization").order_by("-pk"))


def is_for(invitation: Invitation, user: User) -> bool:
    """Tell whether an invitation is for a confirmed address of this user."""
    return invitation.email in _addresses(user)


@transaction.atomic
def join(*, invitation: Invitation, user: User) -> Membership:
    """Make the user a member as the invitation says. Raises InvitationError where it can't be used (any more)."""
    if not is_for(invitation, user):
        raise InvitationError(f"This invitation is for {invitation.email}, and not for you.")
    assert invitation.organization_id
    # Takes turns with whoever closes the organization meanwhile.
    organizations = Organization.objects.select_for_update(no_key=True)
    if not organizations.filter(pk=invitation.organization_id, closed_at=None).first():
        raise InvitationError("This organization was closed.")
    before = audit.read_stored(invitation)
    if not _usable().filter(pk=invitation.pk).update(accepted_at=timezone.now()):
        raise InvitationError("This invitation was used, withdrawn or has expired.")
    audit.record_changed(invitation, before=before, actor=user.email)
    membership, is_new = Membership.objects.get_or_create(
        user=user, organization=invitation.organization, defaults={"role": invitation.role}
    )
    if is_new:
        audit.record_created(membership, actor=user.email)
    return membership


def is_invited(*, email: str) -> bool:
    """Tell whether an invitation of this address is open: neither accepted nor expired."""
    return _usable().filter(email__iexact=email.strip()).exists()


def may_join(*, email: str) -> bool:
    """Tell whether an organization waits for whoever has this address."""
    return _usable().filter(email=email.strip().lower(), organization__isnull=False).exists()


@transaction.atomic
def accept_invitation(*, email: str) -> None:
    """Close the invitation of this address to sign up, if there is one."""
    for invitation in Invitation.objects.filter(email__iexact=email.strip(), accepted_at=None, organization=None):
        before = audit.read_stored(invitation)
        Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(accepted_at=timezone.now())
        audit.record_changed(invitation, before=before, actor=email.strip())


def _usable() -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at=None, expires_at__gt=timezone.now())


def _addresses(user: User) -> list[str]:
    found = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return [address.lower() for address in found]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
