"""Usage broken down: in time, and by model, key, member, status or tag; what a chart and a table of groups show.

Money, tokens and counts come from the roll-ups. They know no status but by its count, and no tags,
so that what failed, was aborted or has a tag is read from the records, each by an index of its own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Membership
from billing.budgets import local_midnight
from billing.filters import PROBLEMS, UsageFilter
from billing.models import UsageRecord
from billing.sums import EPOCH, HOUR, NEVER, Sums, sum_records, sum_rows

FIGURES = ("requests", "completed", "failed", "input_tokens", "output_tokens", "charge_nanos")
DIMENSIONS = {"model": "model", "key": "key", "member": "user"}
"""What usage can be stacked by besides its status: the name in an address → the one in ``sums.GROUPS``."""
RECORD_COLUMNS = {"model": "model", "key": "key_id", "member": "record_user", "tag": "tag"}
COMPLETED = UsageRecord.Status.COMPLETED.value
NO_TAG = ""

DEFAULT_DAYS = 30
MOST_HOURS = 50
MOST_DAYS = 92

Place = tuple[Any, Any]
"""(hour or day, value of the dimension)"""


@dataclass(slots=True)
class Bucket:
    """An hour, a day or a month, and its sums by value of the dimension."""

    begins_at: datetime | date
    sums: dict[Any, Sums] = field(default_factory=dict)


@dataclass(slots=True)
class Breakdown:
    """``unit`` is hour, day or month; ``groups`` are the values with their sums, dearest first."""

    by: str
    since: datetime
    until: datetime
    unit: str
    buckets: list[Bucket]
    groups: list[tuple[Any, Sums]]

    @property
    def last(self) -> datetime:
        """The last instant that counts."""
        return self.until - timedelta(microseconds=1)


def break_down(*, membership: Membership, filters: UsageFilter, by: str = "model") -> Breakdown:
    """Return the usage that matches, in time and by model, key, member, status or tag; without a start: of 30 days."""
    zone = ZoneInfo(membership.organization.time_zone)
    since, until = read_span(filters, zone)
    unit = _choose_unit(since, until)
    asked = _Question(membership, replace(filters, since=since, until=until), by, "hour" if unit == "hour" else "day")
    placed = asked.sum()
    return Breakdown(by, since, until, unit, *_fold(placed, _list_begins(placed, since, until, unit, zone), unit))


def read_span(filters: UsageFilter, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first and last instant of what is asked for, the last not beyond this hour."""
    until = min(filters.until or datetime.max.replace(tzinfo=zone), timezone.now() + HOUR)
    today = until.astimezone(zone).date()
    return filters.since or local_midnight(today - timedelta(days=DEFAULT_DAYS - 1), zone), until


def _choose_unit(since: datetime, until: datetime) -> str:
    if until - since <= timedelta(hours=MOST_HOURS):
        return "hour"
    return "day" if until - since <= timedelta(days=MOST_DAYS) else "month"


# --- sums --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of a span of time, by hours or days (``step``)."""

    membership: Membership
    filters: UsageFilter
    by: str
    step: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.membership.organization.time_zone)

    def sum(self) -> dict[Place, Sums]:
        if self.filters.tag:
            return self._sum_records(self.filters.records(self.membership))
        if self.filters.status in PROBLEMS:
            return self._sum_problems()
        return self._sum_tags() if self.by == "tag" else self._sum_all()

    def _sum_tags(self) -> dict[Place, Sums]:
        """Return the sums of each tag, and of what has none: the rest of the whole."""
        found = self._sum_records(self.filters.records(self.membership).exclude(tag=NO_TAG))
        tagged = list(found.items())
        for (at, _), sums in replace(self, by="status")._sum_all().items():
            found.setdefault((at, NO_TAG), Sums()).add(_figures(sums), FIGURES)
        for (at, _), sums in tagged:
            if (at, NO_TAG) in found:
                found[at, NO_TAG].add(_figures(sums), FIGURES, sign=-1)
        return {place: sums for place, sums in found.items() if sums.requests}

    def _sum_all(self) -> dict[Place, Sums]:
        """Return the sums of every status, or of what was completed."""
        # The problems first: whatever ends meanwhile is in the whole, too.
        problems = self._sum_problems() if self.filters.status or self.by not in DIMENSIONS else {}
        found = self._sum_whole()
        for (at, value), sums in problems.items():
            place = (at, value if self.by in DIMENSIONS else COMPLETED)
            if place in found:
                found[place].add(_figures(sums), FIGURES, sign=-1)
        completed = {place: sums for place, sums in found.items() if sums.requests}
        return completed if self.filters.status else problems | completed

    def _sum_problems(self) -> dict[Place, Sums]:
        """Return the sums of what failed or was aborted, or of the one of them that is asked for."""
        wanted = (self.filters.status,) if self.filters.status in PROBLEMS else PROBLEMS
        records = replace(self.filters, status="").records(self.membership)
        return self._sum_records(records.filter(status__in=PROBLEMS).filter(status__in=wanted))

    def _sum_records(self, records: "QuerySet[UsageRecord]") -> dict[Place, Sums]:
        column = RECORD_COLUMNS.get(self.by, "status")
        found: dict[Place, Sums] = {}
        for row in sum_records(records, f"record_{self.step}", column, figures=FIGURES, zone=self.zone):
            found.setdefault(row[:2], Sums()).add(row[2:], FIGURES)
        return found

    def _sum_whole(self) -> dict[Place, Sums]:
        every = replace(self.filters, status="", since=None, until=None)
        rollups, records = every.rollups(self.membership), every.records(self.membership)
        dimension = DIMENSIONS.get(self.by)
        found = sum_rows(
            rollups,
            records,
            self.filters.since or EPOCH,
            self.filters.until or NEVER,
            (self.step, dimension) if dimension else (self.step,),
            figures=FIGURES,
            zone=self.zone,
        )
        return {(place[0], place[1] if dimension else COMPLETED): sums for place, sums in found.items()}


def _figures(sums: Sums) -> list[int]:
    return [getattr(sums, name) for name in FIGURES]


# --- buckets -----------------------------------------------------------------


def _list_begins(
    placed: Iterable[Place], since: datetime, until: datetime, unit: str, zone: ZoneInfo
) -> list[datetime | date]:
    """Return where each bucket begins, also of those in which nothing happened, from the first with usage on."""
    if unit == "hour":
        first = since.replace(minute=0, second=0, microsecond=0)
        return [first + number * HOUR for number in range(-(-(until - first) // HOUR))]
    last = (until - timedelta(microseconds=1)).astimezone(zone).date()
    day = since.astimezone(zone).date()
    if unit == "day":
        return [day + timedelta(days=number) for number in range((last - day).days + 1)]
    months, month = [], max(day, min((at for at, _ in placed), default=day)).replace(day=1)
    while month <= last:
        months.append(month)
        month = (month + timedelta(days=32)).replace(day=1)
    return list[datetime | date](months)


def _fold(
    placed: dict[Place, Sums], begins: list[datetime | date], unit: str
) -> tuple[list[Bucket], list[tuple[Any, Sums]]]:
    buckets = {begin: Bucket(begin) for begin in begins}
    groups: dict[Any, Sums] = {}
    begin_of: Callable[[Any], Any] = (lambda at: at.replace(day=1)) if unit == "month" else (lambda at: at)
    for (at, value), sums in placed.items():
        figures = _figures(sums)
        groups.setdefault(value, Sums()).add(figures, FIGURES)
        if bucket := buckets.get(begin_of(at)):
            bucket.sums.setdefault(value, Sums()).add(figures, FIGURES)
    dearest = sorted(groups.items(), key=lambda group: (-group[1].charge_nanos, -group[1].requests, str(group[0])))
    return list(buckets.values()), dearest
