"""Invitations: which addresses may sign up while the site takes invited people only."""

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import Invitation


def is_invited(*, email: str) -> bool:
    """Tell whether an invitation of this address is open: neither accepted nor expired."""
    return Invitation.objects.filter(
        email__iexact=email.strip(), accepted_at=None, expires_at__gt=timezone.now()
    ).exists()


@transaction.atomic
def accept_invitation(*, email: str) -> None:
    """Close the invitation of this address, if there is one."""
    for invitation in Invitation.objects.filter(email__iexact=email.strip(), accepted_at=None):
        before = audit.read_stored(invitation)
        Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(accepted_at=timezone.now())
        audit.record_changed(invitation, before=before, actor=email.strip())
