"""The newest requests, also of a model or a member that has not asked for long.

Along the index of time, the database would read all that others asked since. The roll-ups say
in which hours those that are wanted lie.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import Membership
from billing.filters import PROBLEMS, UsageFilter
from billing.hours import Place, list_first, read_oldest
from billing.models import Rollup, UsageRecord
from billing.models.usage import HourQuerySet
from billing.sums import EPOCH, HOUR, NEVER, floor_hour, read_rolled_up

ORDER = ("-created_at", "-id")
NEAR = 2 * HOUR
"""What lies within is found soonest along the index of time."""
MORE = 4
"""So many times as many are looked for where they were too few."""


def read_newest(*, membership: Membership, filters: UsageFilter, after: Place | None, size: int) -> list[UsageRecord]:
    """Return so many of the records that match, the newest first, behind the place of one of them."""
    found = _behind(filters.records(membership), after)
    if _may_be_rare(membership, filters):
        found = found.filter(pk__in=_find(membership, filters, found, after, size))
    return list(found.select_related("key").defer("attempts").order_by(*ORDER)[:size])


def _may_be_rare(membership: Membership, filters: UsageFilter) -> bool:
    """Say whether no index of its own leads to what is asked for."""
    is_somebodys = filters.user is not None or membership.role == Membership.Role.MEMBER
    return bool(filters.model or is_somebodys) and not filters.tag and filters.status not in PROBLEMS


def _behind(records: "QuerySet[UsageRecord]", after: Place | None) -> "QuerySet[UsageRecord]":
    if after is None:
        return records
    _, at, id_ = after
    return records.filter(Q(created_at__lt=at) | Q(id__lt=id_), created_at__lte=at)


def _find(
    membership: Membership, filters: UsageFilter, records: "QuerySet[UsageRecord]", after: Place | None, size: int
) -> set[UUID]:
    """Return the ids of some of these records, among which the page is."""
    rolled_up = read_rolled_up()  # before the roll-ups: nothing is missed that they take in meanwhile
    end = floor_hour(min(filters.until or NEVER, after[1] if after else NEVER, rolled_up))
    ids = _list_from(end, records, size)
    wanted = size - len(ids)
    since = max(floor_hour(filters.since or EPOCH), read_oldest(membership)) if wanted else end
    rollups = filters.places(membership).filter(hour__gte=since, hour__lt=end).order_by("-hour")
    matching = replace(filters, since=None, until=None).records(membership, HourQuerySet.make())
    while len(ids) < size:
        first = _find_hour(rollups, wanted, by_completed=filters.status == UsageRecord.Status.COMPLETED)
        if first >= end - NEAR:
            ids = _list_from(first, records, size)
        else:
            taken = list(rollups.filter(hour__gte=first).values_list("pk", flat=True))
            ids |= list_first(rollups=taken, records=matching, order=ORDER, size=size)
        if first == EPOCH:
            break
        wanted *= MORE
    return ids


def _list_from(since: datetime, records: "QuerySet[UsageRecord]", size: int) -> set[UUID]:
    near = records.filter(created_at__gte=since).order_by(*ORDER)
    return set(near.values_list("pk", flat=True)[:size])


def _find_hour(rollups: "QuerySet[Rollup]", wanted: int, *, by_completed: bool) -> datetime:
    """Return the hour from which on the roll-ups count as many requests; EPOCH where they don't."""
    counts: list[tuple[datetime, int]] = list(
        rollups.values_list("hour", "completed" if by_completed else "requests")[:wanted]
    )
    found = 0
    for hour, count in counts:
        found += count
        if found >= wanted:
            return hour
    return EPOCH
