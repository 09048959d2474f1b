"""Invitations: which addresses may sign up while the site takes invited people only."""

from django.utils import timezone

from accounts.models import Invitation


def is_invited(*, email: str) -> bool:
    """Tell whether an invitation of this address is open: neither accepted nor expired."""
    return Invitation.objects.filter(
        email__iexact=email.strip(), accepted_at=None, expires_at__gt=timezone.now()
    ).exists()


def accept_invitation(*, email: str) -> None:
    """Close the invitation of this address, if there is one."""
    Invitation.objects.filter(email__iexact=email.strip(), accepted_at=None).update(accepted_at=timezone.now())
