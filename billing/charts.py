"""A breakdown of usage as a chart of stacked bars, and as a table of groups; both for a page."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format

from accounts.models import APIKey, Membership, User
from billing import money
from billing.breakdown import NO_TAG, Breakdown, Bucket
from billing.sums import Sums, add_up

SERIES = 5
"""So many have a colour of their own; the rest is one more."""
OTHER = "other"

FORMATS = {"hour": "j M, H:i", "day": "j M", "month": "M Y"}


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart; ``number`` names it, ``values`` are one for each bar."""

    number: int
    name: str
    values: list[int]
    total: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars: nano-dollars or requests. ``rows`` are label, texts of the series and sum of each bar not empty."""

    measure: str
    unit: str
    labels: list[str]
    series: list[Series]
    rows: list[tuple[str, list[str], str]]

    @property
    def data(self) -> str:
        """Return what the script draws, as JSON."""
        series = [{"name": one.name, "number": one.number, "values": one.values} for one in self.series]
        return json.dumps({"measure": self.measure, "labels": self.labels, "series": series})


@dataclass(frozen=True, slots=True)
class Group:
    """A line of a table of groups; ``query`` are the parameters of an address that lead to its requests."""

    name: str
    query: dict[str, str]
    sums: Sums
    share: float


def choose_measure(breakdown: Breakdown) -> str:
    """Return usd, or requests where nothing was charged."""
    return "usd" if any(sums.charge_nanos for _, sums in breakdown.groups) else "requests"


def draw_chart(breakdown: Breakdown, names: dict[Any, str], *, measure: str, zone: ZoneInfo) -> Chart:
    """Return the chart of a breakdown; ``measure`` is usd or requests, ``names`` are those of its values."""

    def figure(sums: Sums | None) -> int:
        return 0 if sums is None else sums.requests if measure == "requests" else sums.charge_nanos

    ordered = sorted(breakdown.groups, key=lambda group: -figure(group[1]))
    shown = [value for value, sums in ordered if figure(sums)][:SERIES]
    columns = [[figure(bucket.sums.get(value)) for bucket in breakdown.buckets] for value in shown]
    totals = [sum(map(figure, bucket.sums.values())) for bucket in breakdown.buckets]
    rest = [total - sum(values[place] for values in columns) for place, total in enumerate(totals)]
    titles = [names.get(value, str(value)) for value in shown]
    if any(rest):
        columns, titles = [*columns, rest], [*titles, OTHER]
    labels = [label(bucket, breakdown.unit, zone) for bucket in breakdown.buckets]
    rows = [
        (text, [_text(values[place], measure) for values in columns], _text(totals[place], measure))
        for place, text in enumerate(labels)
        if totals[place]
    ]
    series = [
        Series(number, title, values, _text(sum(values), measure))
        for number, (title, values) in enumerate(zip(titles, columns, strict=True), start=1)
    ]
    return Chart(measure, breakdown.unit, labels, series, rows)


def _text(figure: int, measure: str) -> str:
    return money.format_usd(figure) if measure == "usd" else f"{figure:,}"


def label(bucket: Bucket, unit: str, zone: ZoneInfo) -> str:
    """Return when a bucket begins, in words of the zone."""
    begins_at = bucket.begins_at
    if isinstance(begins_at, datetime):
        begins_at = begins_at.astimezone(zone)
    return str(date_format(begins_at, FORMATS[unit]))


def list_groups(breakdown: Breakdown, names: dict[Any, str], *, by: str, zone: ZoneInfo) -> list[Group]:
    """Return the groups of a table, newest first where they are days, else dearest first."""
    found: list[tuple[str, dict[str, str], Sums]]
    if by == "day":
        found = [
            (label(bucket, breakdown.unit, zone), _days_of(bucket, breakdown.unit), add_up(bucket.sums.values()))
            for bucket in reversed(breakdown.buckets)
            if bucket.sums
        ]
    else:
        found = [(names.get(value, str(value)), _query(by, value), sums) for value, sums in breakdown.groups]
    total = sum(sums.charge_nanos for _, _, sums in found) or 1
    return [Group(name, query, sums, round(100 * sums.charge_nanos / total, 1)) for name, query, sums in found]


def _query(by: str, value: Any) -> dict[str, str]:
    return {} if by == "tag" and value == NO_TAG else {by: str(value)}


def _days_of(bucket: Bucket, unit: str) -> dict[str, str]:
    first = bucket.begins_at
    if isinstance(first, datetime):
        return {}
    last = first
    if unit == "month":
        last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return {"period": "days", "from": first.isoformat(), "to": last.isoformat()}


def read_names(*, membership: Membership, by: str, values: Iterable[Any]) -> dict[Any, str]:
    """Return value → what people call it."""
    if by == "key":
        keys = APIKey.objects.filter(organization=membership.organization_id, pk__in=list(values))
        return dict(keys.values_list("pk", "name"))
    if by == "member":
        return dict(User.objects.filter(pk__in=list(values)).values_list("pk", "email"))
    return {NO_TAG: "no tag"} if by == "tag" else {}
