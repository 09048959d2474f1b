"""Which usage is asked for: one choice, of usage records and of their roll-ups alike."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Membership
from billing.models import Rollup, UsageRecord
from billing.models.usage import UsageQuerySet

PROBLEMS = (UsageRecord.Status.ABORTED, UsageRecord.Status.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """What must hold of a request. It ended in [since, until); ``key`` and ``user`` are ids; empty: anything."""

    since: datetime | None = None
    until: datetime | None = None
    status: str = ""
    model: str = ""
    key: int | None = None
    user: int | None = None
    tag: str = ""

    def __bool__(self) -> bool:
        return self != ALL

    def records(self, membership: Membership, among: UsageQuerySet | None = None) -> "QuerySet[UsageRecord]":
        """Return the usage records that match and that the member may see."""
        found = (UsageRecord.objects.all() if among is None else among).visible_to(membership)
        if self.since:
            found = found.filter(created_at__gte=self.since)
        if self.until:
            found = found.filter(created_at__lt=self.until)
        if self.status in PROBLEMS:
            # Both, so that the small index of what went wrong is seen to hold them.
            found = found.filter(status__in=PROBLEMS)
        if self.status:
            found = found.filter(status=self.status)
        if self.tag:
            found = found.filter(tag=self.tag).exclude(tag="")  # the index of what is tagged is seen to hold them
        if self.user is not None:
            found = found.filter(found.own_rows(self.user))
        return found.filter(**self._same())

    def rollups(self, membership: Membership) -> "QuerySet[Rollup]":
        """Return the roll-ups that match, but for tags, which they don't know, time and status: those by sums alone."""
        found = Rollup.objects.visible_to(membership)
        return found.filter(**self._same(), **({"user": self.user} if self.user is not None else {}))

    def places(self, membership: Membership) -> "QuerySet[Rollup]":
        """Return the roll-ups of the keys and models, whose hours hold all records that match, and others."""
        found = Rollup.objects.filter(organization=membership.organization_id, **self._same())
        people = [self.user, membership.user_id if membership.role == Membership.Role.MEMBER else None]
        for person in people:
            if person is not None:  # by the keys that are theirs now, whoever had them then
                found = found.filter(UsageRecord.objects.own_rows(person))
        return found.filter(completed__gt=0) if self.status == UsageRecord.Status.COMPLETED else found

    def _same(self) -> dict[str, str | int]:
        named = {"model": self.model, "key": self.key}
        return {name: value for name, value in named.items() if value}


ALL = UsageFilter()
