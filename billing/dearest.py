"""The dearest requests, found by the roll-ups: as quickly among ten million records as among a thousand.

1. Each roll-up knows the highest charge of its hour. Those with the highest are taken first.
2. Of each, an index that holds an hour's records by their charge gives the dearest.
3. No record of another roll-up is dearer than the last one's highest charge: those that are, are certain.
   Where they are too few for a page, more roll-ups are taken.

What the roll-ups don't hold, at both ends of the time that is asked for, is looked through as it is.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from accounts.models import Membership
from billing.filters import PROBLEMS, UsageFilter
from billing.hours import Place, list_first, read_oldest
from billing.models import Rollup, UsageRecord
from billing.models.usage import HourQuerySet
from billing.sums import EPOCH, HOUR, NEVER, ceil_hour, floor_hour, read_rolled_up

ORDER = ("-charge_nanos", "-created_at", "-id")

MORE = 2
"""So many times the roll-ups are taken, where they were too few."""
SHARES = (99, 90, 50, 0)
"""Where all roll-ups are taken, a page is looked for above so many percent of the charge before it, in turn."""
MOST_FOR_TAG = 1000
"""Roll-ups, which know no tags: one that is rare among the dear is looked for by its own index."""
MOST_RECORDS_FOR_TAG = 20_000


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
        rollups = self.filters.places(self.membership).filter(
            hour__gte=max(first, read_oldest(self.membership)), hour__lt=end
        )
        shown, more = self._count_shown(rollups), self.size * 5 // 4
        while not self.filters.tag or shown + more <= MOST_FOR_TAG:
            dearest = rollups.order_by("-dearest_nanos", "-hour").values_list("pk", "dearest_nanos", "hour")
            taken = list(dearest[: shown + more])
            ids = [pk for pk, *_ in taken]
            if len(taken) < shown + more:
                return self._read_rest(loose, rollups, ids)
            _, least, hour = taken[-1]
            found = self._read(loose | self._list_of(ids, least=least))
            if self._is_certain(found, least, hour + HOUR):
                return found
            more *= MORE
        return None

    def _read_rest(self, loose: set[UUID], rollups: "QuerySet[Rollup]", ids: list[int]) -> list[UsageRecord] | None:
        """Return the page where all roll-ups are to be taken."""
        if self.filters.tag and (rollups.aggregate(all=Sum("requests"))["all"] or 0) > MOST_RECORDS_FOR_TAG:
            return None
        for share in SHARES if self.after else SHARES[-1:]:
            least = self.after[0] * share // 100 if self.after else 0
            found = self._read(loose | self._list_of(ids, least=least))
            if self._is_certain(found, least, EPOCH):
                break
        return found

    def _is_certain(self, found: list[UsageRecord], least: int, at: datetime) -> bool:
        """Say whether the page is full of records that come before a charge and a time."""
        return len(found) == self.size and (found[-1].charge_nanos, found[-1].created_at) >= (least, at)

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

    def _list_loose(self, first: datetime, end: datetime) -> set[UUID]:
        """Return the dearest of what ended before the first whole hour, and of what ended behind the last one."""
        records = self._records()
        parts = [records.filter(created_at__lt=first), records.filter(created_at__gte=end)]
        return set(chain.from_iterable(map(self._list_first, parts if first < end else [records])))

    def _list_of(self, rollups: list[int], *, least: int) -> set[UUID]:
        """Return the dearest records of each of these roll-ups' hours, of those that were charged ``least``."""
        # Without a span of time, which would tempt the database to read along it.
        matching = replace(self.filters, since=None, until=None).records(self.membership, HourQuerySet.make())
        matching = self._behind(matching).filter(charge_nanos__gte=least)
        return list_first(rollups=rollups, records=matching, order=ORDER, size=self.size)

    def _list_first(self, records: "QuerySet[UsageRecord]") -> set[UUID]:
        return set(records.order_by(*ORDER).values_list("pk", flat=True)[: self.size])

    def _read(self, ids: set[UUID]) -> list[UsageRecord]:
        records = UsageRecord.objects.filter(pk__in=ids).select_related("key").defer("attempts")
        return list(records.order_by(*ORDER)[: self.size])
