"""Organizations and who belongs to them."""

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import Membership, Organization, User


@transaction.atomic
def create_organization(*, owner: User, name: str = "", actor: str = "") -> Organization:
    """Make an organization owned by this user; named after the address unless told otherwise.

    ``actor`` is the command that makes it, empty where the owner does.
    """
    organization = Organization.objects.create(name=name or owner.name or owner.email.partition("@")[0])
    membership = Membership.objects.create(user=owner, organization=organization, role=Membership.Role.OWNER)
    for row in (organization, membership):
        audit.record_created(row, actor=actor or owner.email)
    return organization


def find_membership(*, user: User, organization_id: int | None = None) -> Membership | None:
    """Return the user's membership in that organization, else the oldest of theirs in an open one."""
    memberships = user.memberships.select_related("organization").filter(organization__closed_at=None)
    chosen = memberships.filter(organization=organization_id).first() if organization_id else None
    return chosen or memberships.order_by("created_at", "pk").first()


@transaction.atomic
def update_organization(
    *,
    organization: Organization,
    name: str,
    time_zone: str,
    budget_alerts: bool,
    low_balance_nanos: int | None,
    actor: str,
) -> None:
    """Rename it, set its alerts and move its days: open windows end as they began, the next follow the new zone."""
    before = audit.read_stored(organization)
    organization.name, organization.time_zone = name.strip(), time_zone
    organization.budget_alerts, organization.low_balance_nanos = budget_alerts, low_balance_nanos
    organization.save(update_fields=["name", "time_zone", "budget_alerts", "low_balance_nanos"])
    audit.record_changed(organization, before=before, actor=actor)


@transaction.atomic
def set_closed(*, organization: Organization, is_closed: bool, actor: str) -> None:
    """Close an organization, or open it again.

    While it is closed its keys are refused, running answers are cut, and nobody acts in it;
    its ledger stays. Twice is as good as once.
    """
    before = audit.read_stored(organization)
    if is_closed != (before["closed_at"] is not None):
        organization.closed_at = timezone.now() if is_closed else None
        organization.save(update_fields=["closed_at"])
        audit.record_changed(organization, before=before, actor=actor)
