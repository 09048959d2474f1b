"""Organizations and who belongs to them."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit, keys, management_keys
from accounts.models import APIKey, Membership, Organization, User


class MemberError(ValueError):
    """A change of members that can't be; the message is for people."""


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
    return choose_membership(list_memberships(user=user), organization_id)


def choose_membership(memberships: list[Membership], organization_id: int | None) -> Membership | None:
    """Return the membership in that organization, else the first."""
    chosen = (each for each in memberships if each.organization_id == organization_id)
    return next(chosen, memberships[0] if memberships else None)


def list_memberships(*, user: User) -> list[Membership]:
    """Return a person's memberships in open organizations, oldest first."""
    memberships = user.memberships.select_related("organization").filter(organization__closed_at=None)
    return list(memberships.order_by("created_at", "pk"))


@transaction.atomic
def add_member(*, organization: Organization, user: User, role: str, actor: str) -> Membership:
    """Make somebody a member who is none yet."""
    membership = Membership.objects.create(organization=organization, user=user, role=role)
    audit.record_created(membership, actor=actor)
    return membership


@transaction.atomic
def set_role(*, membership: Membership, role: str, actor: str) -> None:
    """Give a member another role. Raises MemberError where nobody would own the organization."""
    _lock(membership)
    before = audit.read_stored(membership)
    if role != Membership.Role.OWNER:
        _keep_owner(membership)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    membership.role = role
    audit.record_changed(membership, before=before, actor=actor)


@transaction.atomic
def remove_member(*, membership: Membership, actor: str, heir: Membership | None = None) -> None:
    """End a membership; the person's API keys here become the heir's, or are revoked where there is none.

    Keys of programs that manage act in the person's own name: they are revoked in any case.
    Raises MemberError for the last owner, or where the heir is no member any more.
    """
    _lock(membership)
    if not Membership.objects.filter(pk=membership.pk).exists():
        return  # somebody else was first
    _keep_owner(membership)
    if heir:
        _require_heir(heir, membership.organization_id, membership.user_id)
    for key in list_keys(membership=membership):
        if heir:
            _hand_over(key, heir, actor)
        else:
            keys.revoke_key(key=key, actor=actor)
    managing = management_keys.list_keys(organization=membership.organization)
    for one in managing.filter(created_by=membership.user_id):
        management_keys.revoke(key=one, actor=actor)
    audit.record_deleted(membership, actor=actor)
    Membership.objects.filter(pk=membership.pk).delete()


def list_keys(*, membership: Membership) -> "QuerySet[APIKey]":
    """Return the keys of this person in the organization that are not revoked."""
    return APIKey.objects.filter(
        organization=membership.organization_id,
        created_by=membership.user_id,
        kind=APIKey.Kind.STANDARD,
        revoked_at=None,
    )


def list_heirs(*, organization_id: int, user_id: int) -> "QuerySet[Membership]":
    """Return the other members of an organization, to whom a person's keys can be handed over."""
    others = Membership.objects.filter(organization=organization_id, user__is_active=True)
    return others.exclude(user=user_id).select_related("user").order_by("user__email")


@transaction.atomic
def hand_over_key(*, key: APIKey, heir: Membership, actor: str) -> None:
    """Let another member answer for a key; its secret, budgets and limits stay. Raises MemberError."""
    Organization.objects.select_for_update(no_key=True).get(pk=key.organization_id)
    _require_heir(heir, key.organization_id, key.created_by_id)
    if key.kind != APIKey.Kind.STANDARD or not APIKey.objects.filter(pk=key.pk, revoked_at=None).exists():
        raise MemberError("This key can't be handed over.")
    _hand_over(key, heir, actor)


def _require_heir(heir: Membership, organization_id: int, user_id: int) -> None:
    if not list_heirs(organization_id=organization_id, user_id=user_id).filter(pk=heir.pk).exists():
        raise MemberError(f"{heir.user} is no member any more: nothing was changed.")


def _hand_over(key: APIKey, heir: Membership, actor: str) -> None:
    before = audit.read_stored(key)
    APIKey.objects.filter(pk=key.pk).update(created_by=heir.user_id)
    audit.record_changed(key, before=before, actor=actor)


def _lock(membership: Membership) -> None:
    """Let changes of an organization's members take turns, so that two can't take its last owners."""
    Organization.objects.select_for_update(no_key=True).get(pk=membership.organization_id)


def _keep_owner(membership: Membership) -> None:
    owners = Membership.objects.filter(organization=membership.organization_id, role=Membership.Role.OWNER)
    is_owner = owners.filter(pk=membership.pk).exists()
    if is_owner and not owners.exclude(pk=membership.pk).filter(user__is_active=True).exists():
        raise MemberError("An organization needs an owner: make somebody else one first.")


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
