"""The dearest requests, found by the roll-ups: as quickly among ten million records as among a thousand.

1. Each roll-up knows the highest charge of its hour. Those with the highest are taken first.
2. Of each, an index that holds an hour's records by their charge gives the dearest.
3. No record of another roll-up is dearer than the last one's highest charge: those that are, are certain.
   Where they are too few for a page, more roll-ups are taken.

What the roll-ups don't hold, at both ends of the time that is asked for, is looked through as it is.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Field, OuterRef, Q, QuerySet, Subquery

from accounts.models import Membership
from billing import rows
from billing.filters import PROBLEMS, UsageFilter
from billing.models import Hour, Rollup, UsageRecord
from billing.models.usage import HourQuerySet
from billing.sums import EPOCH, HOUR, NEVER, ceil_hour, floor_hour, read_rolled_up

ORDER = ("-charge_nanos", "-created_at", "-id")
Place = tuple[int, datetime, UUID]
"""Charge, time and id of a record: where it stands in the list."""

MORE = 4
"""So many times the roll-ups are taken, where they were too few."""
MOST_FOR_TAG = 5000
"""Roll-ups, which know no tags: one that is rare among the dear is looked for by its own index."""


def read_dearest(*, membership: Membership, filters: UsageFilter, after: Place | None, size: int) -> list[UsageRecord]:
    """Return so many of the records that match, the dearest first, behind the place of one of them."""
    search = _Search(membership, filters, after, size)
    found = None if filters.status in PROBLEMS else search.read_by_hour()
    return search.read_all() if found is None else found


@dataclass(frozen=True, slots=True)
class _Search:
    membership: Membership
    filters: UsageFilter
    after: Place | None
    size: int

    def read_all(self) -> list[UsageRecord]:
        """Look through all that match: the indexes of problems and of tags tell it without the records."""
        return self._read(self._list_first(self._records()))

    def read_by_hour(self) -> list[UsageRecord] | None:
        """Look through what the roll-ups lead to; None where a tag is rare there."""
        # The mark before the roll-ups: what they take in meanwhile is looked at twice, not missed.
        rolled_up = read_rolled_up()
        first, end = ceil_hour(self.filters.since or EPOCH), min(floor_hour(self.filters.until or NEVER), rolled_up)
        loose = self._list_loose(first, end)
        rollups = self.filters.places(self.membership).filter(hour__gte=max(first, self._read_oldest()), hour__lt=end)
        count = 2 * self.size + self._count_shown(rollups)
        while not (self.filters.tag and count > MOST_FOR_TAG):
            taken = list(rollups.order_by("-dearest_nanos", "-hour").values_list("pk", "dearest_nanos", "hour")[:count])
            bound = (taken[-1][1], taken[-1][2] + HOUR) if len(taken) == count else None
            found = self._read(loose | self._list_of([pk for pk, *_ in taken], least=bound[0] if bound else 0))
            if bound is None or (len(found) == self.size and (found[-1].charge_nanos, found[-1].created_at) >= bound):
                return found
            count *= MORE
        return None

    def _records(self, **changes: Any) -> "QuerySet[UsageRecord]":
        return self._behind(replace(self.filters, **changes).records(self.membership))

    def _behind(self, records: "QuerySet[UsageRecord]") -> "QuerySet[UsageRecord]":
        if self.after is None:
            return records
        charge, at, id_ = self.after
        later = Q(charge_nanos__lt=charge) | Q(created_at__lt=at) | Q(created_at=at, id__lt=id_)
        return records.filter(later, charge_nanos__lte=charge)

    def _count_shown(self, rollups: "QuerySet[Rollup]") -> int:
        """Return how many roll-ups may hold a record that stands before this page."""
        if self.after is None:
            return 0
        charge, at, _ = self.after
        return rollups.filter(Q(dearest_nanos__gt=charge) | Q(dearest_nanos=charge, hour__gt=at - HOUR)).count()

    def _read_oldest(self) -> datetime:
        """Return the hour of the oldest record; roll-ups are kept for longer."""
        kept = UsageRecord.objects.filter(organization=self.membership.organization_id).order_by("created_at")
        return floor_hour(kept.values_list("created_at", flat=True).first() or NEVER)

    def _list_loose(self, first: datetime, end: datetime) -> set[UUID]:
        """Return the dearest of what ended before the first whole hour, and of what ended behind the last one."""
        records = self._records()
        parts = [records.filter(created_at__lt=first), records.filter(created_at__gte=end)]
        return set(chain.from_iterable(map(self._list_first, parts if first < end else [records])))

    def _list_of(self, rollups: list[int], *, least: int) -> set[UUID]:
        """Return the dearest records of each of these roll-ups' hours, of those that were charged ``least``."""
        # Without a span of time, which would tempt the database to read along it.
        matching = replace(self.filters, since=None, until=None).records(self.membership, HourQuerySet.make())
        of_rollup = (
            self._behind(matching)
            .alias(hour=Hour("created_at"))
            .filter(key=OuterRef("key"), model=OuterRef("model"), hour=Hour(OuterRef("hour")), charge_nanos__gte=least)
        )
        ids = _Ids(of_rollup.order_by(*ORDER).values("id")[: self.size])
        return set(chain.from_iterable(Rollup.objects.filter(pk__in=rollups).values_list(ids, flat=True)))

    def _list_first(self, records: "QuerySet[UsageRecord]") -> set[UUID]:
        return set(records.order_by(*ORDER).values_list("pk", flat=True)[: self.size])

    def _read(self, ids: set[UUID]) -> list[UsageRecord]:
        records = UsageRecord.objects.filter(pk__in=ids).select_related("key").defer("attempts")
        return list(records.order_by(*ORDER)[: self.size])


class _Ids(Subquery):
    """The ids that a subquery gives, as one value."""

    template = "ARRAY(%(subquery)s)"
    output_field: Any = Field()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(SELECT json_group_array(id) FROM (%(subquery)s))"
        return self.as_sql(compiler, connection, template=template, **context)

    def get_db_converters(self, connection: Any) -> list[Any]:
        return [lambda value, *_: [rows.read_uuid(id_) for id_ in _unpack(value)]]


def _unpack(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
