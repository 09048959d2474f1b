"""A month of an organization on paper: what came in, what was used by day, model and key, what is left.

The sums are the ledger's own; the rows below them come from the roll-ups, which are kept for good.
Days and months are those of the organization's time zone. Where it is not whole hours from UTC, the
hours that midnight divides come from the usage records; once those are forgotten, such an hour
counts to the day and the month in which it began.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import APIKey, Organization
from billing import ledgersums
from billing.budgets import local_midnight
from billing.models import LedgerEntry, Rollup, UsageRecord
from billing.retention import read_kept_since
from billing.sums import (
    GROUPS,
    HOUR,
    Sums,
    ceil_hour,
    floor_hour,
    read_rolled_up,
    sum_records,
    sum_rollups,
    sum_rows,
)

FIGURES = {
    "requests": "requests",
    "input": "input_tokens",
    "cached": "cached_tokens",
    "output": "output_tokens",
    "charge": "charge_nanos",
}
SUMMED = tuple(FIGURES.values())


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in a time zone; ``starts_at`` and ``ends_at`` are its instants in UTC."""

    first: date
    starts_at: datetime
    ends_at: datetime

    @property
    def name(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def is_over(self) -> bool:
        return self.ends_at <= timezone.now()


@dataclass(frozen=True, slots=True)
class Statement:
    """What a month came to; amounts in nano-dollars, ``kinds`` are (kind in words, sum) of the ledger's entries.

    ``is_kept`` tells whether its usage records are all still there, ``is_by_hours`` that only whole hours were.
    """

    month: Month
    opening: int
    kinds: list[tuple[str, int]]
    closing: int
    days: list[dict[str, Any]]
    models: list[dict[str, Any]]
    keys: list[dict[str, Any]]
    is_kept: bool
    is_by_hours: bool


def read_month(text: str, zone: ZoneInfo) -> Month | None:
    """Return the month that ``2026-11`` names; None for anything else."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
        return None
    try:
        return _month(date(int(text[:4]), int(text[5:]), 1), zone)
    except (ValueError, OverflowError):
        return None


def _month(day: date, zone: ZoneInfo) -> Month:
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Month(first, local_midnight(first, zone), local_midnight(following, zone))


def list_months(*, organization: Organization) -> list[Month]:
    """Return the months from the first entry of the ledger to now, newest first."""
    zone = ZoneInfo(organization.time_zone)
    entries = LedgerEntry.objects.filter(organization=organization).order_by("pk")
    first = entries.values_list("created_at", flat=True).first()
    if first is None:
        return []
    months = [_month(timezone.now().astimezone(zone).date(), zone)]
    while months[-1].starts_at > first:
        months.append(_month(months[-1].first - timedelta(days=1), zone))
    return months


def make_statement(*, organization: Organization, month: Month) -> Statement:
    """Return the statement of a month, as far as it has gone."""
    opening = sum(ledgersums.sum_entries(organization=organization, until=month.starts_at).values())
    sums = ledgersums.sum_entries(organization=organization, since=month.starts_at, until=month.ends_at)
    usage = _Usage(organization, month, is_kept=month.starts_at >= read_kept_since())
    return Statement(
        month=month,
        opening=opening,
        kinds=[(kind.label, sums[kind]) for kind in LedgerEntry.Kind if kind in sums],
        closing=opening + sum(sums.values()),
        days=sorted(usage.list_by("day"), key=lambda row: row["day"]),
        models=sorted(usage.list_by("model"), key=lambda row: (-row["charge"], row["model"])),
        keys=sorted(usage.list_keys(), key=lambda row: (-row["charge"], row["name"])),
        is_kept=usage.is_kept,
        is_by_hours=not usage.is_kept and not usage.has_whole_hours,
    )


@dataclass(frozen=True, slots=True)
class _Usage:
    """What an organization used in a month."""

    organization: Organization
    month: Month
    is_kept: bool

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.organization.time_zone)

    @property
    def has_whole_hours(self) -> bool:
        ends = (self.month.starts_at, self.month.ends_at)
        return all(floor_hour(at) == at for at in ends)

    @property
    def _asked(self) -> dict[str, Any]:
        return {"figures": SUMMED, "zone": self.zone}

    def list_by(self, group: str) -> list[dict[str, Any]]:
        """Return a row for each day, model or key: its value under the group's name, and FIGURES."""
        return [
            {group: value} | {name: getattr(sums, column) for name, column in FIGURES.items()}
            for value, sums in self._sum_by(group).items()
        ]

    def list_keys(self) -> list[dict[str, Any]]:
        rows = self.list_by("key")
        keys = APIKey.objects.in_bulk([row["key"] for row in rows])
        # The Playground's has no secret that a prefix would be the beginning of.
        prefixes = {pk: "" if key.kind == APIKey.Kind.PLAYGROUND else key.prefix for pk, key in keys.items()}
        return [row | {"name": keys[row["key"]].name, "prefix": prefixes[row["key"]]} for row in rows]

    def _sum_by(self, group: str) -> dict[Any, Sums]:
        rollups = Rollup.objects.filter(organization=self.organization)
        records = UsageRecord.objects.filter(organization=self.organization)
        if self.is_kept and not self.has_whole_hours:
            return self._sum_parts(group, rollups, records)
        span = ceil_hour(self.month.starts_at), ceil_hour(self.month.ends_at)
        found = sum_rows(rollups, records, *span, (group,), **self._asked)
        return {value: sums for (value,), sums in found.items()}

    def _sum_parts(self, group: str, rollups: "QuerySet[Rollup]", records: "QuerySet[UsageRecord]") -> dict[Any, Sums]:
        """Sum the hours that lie within a day by their roll-ups, and the rest by the records."""
        since, until = self.month.starts_at, self.month.ends_at
        first = ceil_hour(since)
        # Behind it an hour may not be whole yet; before it none grows any more.
        last = max(first, min(floor_hour(until), floor_hour(read_rolled_up())))
        divided = [hour for hour in self._list_divided_hours() if first <= hour < last]
        spans = [(since, first), (last, until), *((hour, hour + HOUR) for hour in divided)]
        by_hour, by_record = GROUPS[group]
        whole = rollups.filter(hour__gte=first, hour__lt=last).exclude(hour__in=divided)
        # A statement for each span, not one with many conditions: each follows the index.
        parts = [
            sum_records(records.filter(created_at__gte=begin, created_at__lt=end), by_record, **self._asked)
            for begin, end in spans
            if begin < end
        ]
        found: dict[Any, Sums] = defaultdict(Sums)
        for value, *figures in sum_rollups(whole, by_hour, **self._asked).union(*parts, all=True):
            found[value].add(figures, SUMMED)
        return found

    def _list_divided_hours(self) -> list[datetime]:
        days = (self.month.first + timedelta(days=number) for number in range(1, 31))
        midnights = (local_midnight(day, self.zone) for day in days)
        return [floor_hour(midnight) for midnight in midnights if floor_hour(midnight) != midnight]


def add_up(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Return the sums of a table's rows."""
    listed = list(rows)
    return {name: sum(row[name] or 0 for row in listed) for name in FIGURES}
