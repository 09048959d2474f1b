"""A month of an organization on paper: what came in, what was used by day, model and key, what is left.

The sums are the ledger's own; the rows below them come from the usage records, as far back
as those are kept. Days and months are those of the organization's time zone.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from accounts.models import Organization
from billing.budgets import local_midnight
from billing.models import LedgerEntry, UsageRecord

FIGURES = {
    "requests": Count("id"),
    "input": Sum("input_tokens"),
    "cached": Sum("cached_tokens"),
    "output": Sum("output_tokens"),
    "charge": Sum("charge_nanos"),
}


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
    """What a month came to; amounts in nano-dollars, ``kinds`` are (kind in words, sum) of the ledger's entries."""

    month: Month
    opening: int
    kinds: list[tuple[str, int]]
    closing: int
    days: list[dict[str, Any]]
    models: list[dict[str, Any]]
    keys: list[dict[str, Any]]


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
    entries = LedgerEntry.objects.filter(organization=organization)
    opening = _sum(entries.filter(created_at__lt=month.starts_at))
    within = entries.filter(created_at__gte=month.starts_at, created_at__lt=month.ends_at)
    sums = dict(within.values_list("kind").annotate(total=Sum("amount_nanos")))
    records = UsageRecord.objects.filter(
        organization=organization, created_at__gte=month.starts_at, created_at__lt=month.ends_at
    )
    day = TruncDate("created_at", tzinfo=ZoneInfo(organization.time_zone))
    return Statement(
        month=month,
        opening=opening,
        kinds=[(kind.label, sums[kind.value]) for kind in LedgerEntry.Kind if kind.value in sums],
        closing=opening + sum(sums.values()),
        days=list(records.values(day=day).annotate(**FIGURES).order_by("day")),
        models=list(records.values("model").annotate(**FIGURES).order_by("-charge", "model")),
        keys=list(records.values(name=F("key__name"), prefix=F("key__prefix")).annotate(**FIGURES).order_by("-charge")),
    )


def _sum(entries: "QuerySet[LedgerEntry]") -> int:
    return entries.aggregate(total=Sum("amount_nanos"))["total"] or 0


def add_up(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Return the sums of a table's rows."""
    listed = list(rows)
    return {name: sum(row[name] or 0 for row in listed) for name in FIGURES}
