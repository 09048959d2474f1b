"""Management keys: what a program shows on `/api/`."""

import hashlib
import secrets

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit
from accounts.keys import Secret
from accounts.models import ManagementKey, Membership, Organization, User

PREFIX = "smt-mgmt-"
SHOWN = len(PREFIX) + 6
MOST = 50
"""Keys in use of one organization: each is for one program."""


class ManagementKeyError(ValueError):
    """A key that can't be made; the message is for people."""


def list_keys(*, organization: Organization) -> QuerySet[ManagementKey]:
    """Return the keys in use, newest first."""
    return organization.management_keys.filter(revoked_at=None).select_related("created_by").order_by("-pk")


@transaction.atomic
def create(*, organization: Organization, created_by: User, name: str) -> tuple[ManagementKey, Secret]:
    """Make a key; return it with its secret, which is stored nowhere. Raises ManagementKeyError."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if list_keys(organization=organization).count() >= MOST:
        raise ManagementKeyError(f"There are {MOST} management keys: revoke one that no program uses first.")
    secret = Secret(PREFIX + secrets.token_urlsafe(32))
    key = ManagementKey.objects.create(
        organization=organization,
        created_by=created_by,
        name=name.strip(),
        prefix=secret[:SHOWN],
        digest=_digest(secret),
    )
    audit.record_created(key, actor=created_by.email)
    return key, secret


@transaction.atomic
def revoke(*, key: ManagementKey, actor: str) -> None:
    """End a key for good. Twice is as good as once."""
    before = audit.read_stored(key)
    if ManagementKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record_changed(key, before=before, actor=actor)


def find_membership(secret: str) -> Membership | None:
    """Return in whose name a secret acts: an active owner of an open organization; None for anybody else."""
    if not secret.startswith(PREFIX):
        return None
    key = ManagementKey.objects.filter(digest=_digest(secret), revoked_at=None).first()
    if key is None:
        return None
    owners = Membership.objects.select_related("user", "organization").filter(
        role=Membership.Role.OWNER, user__is_active=True, organization__closed_at=None
    )
    return owners.filter(user=key.created_by_id, organization=key.organization_id).first()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
