"""What usage came to: whole hours from the roll-ups, the rest from the records, exact to the second.

Roll-ups hold the records up to a mark (``billing/rollups.py``). One statement reads them,
the records before the first whole hour and those behind the mark, so that nothing is
missed or counted twice although the mark moves meanwhile.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, DateTimeField, F, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Greatest, Least, TruncDate, TruncHour

from accounts.models import Membership
from billing.models import Mark, Rollup, UsageRecord

ROLLED_UP = "usage_rolled_up"
"""Name of the mark up to which records are in the roll-ups."""

DEMO = "demo"
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Sums:
    """The figures of a roll-up, or of any number of records; amounts in nano-dollars, times in milliseconds."""

    requests: int = 0
    completed: int = 0
    failed: int = 0
    client_errors: int = 0
    estimated: int = 0
    estimated_tokens: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    charge_nanos: int = 0
    uncollected_nanos: int = 0
    cost_nanos: int = 0
    costed: int = 0
    first_token_ms: int = 0
    timed: int = 0
    stream_ms: int = 0
    stream_tokens: int = 0

    def add(self, figures: Sequence[int], names: Sequence[str] | None = None, sign: int = 1) -> None:
        """Add these figures, which are called ``names``: FIGURES where they are not named."""
        for name, figure in zip(names or FIGURES, figures, strict=True):
            setattr(self, name, getattr(self, name) + sign * int(figure))

    @property
    def aborted(self) -> int:
        return self.requests - self.completed - self.failed

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def error_rate(self) -> str:
        return f"{100 * self.failed / self.requests:.1f} %" if self.requests else "–"


FIGURES = tuple(field.name for field in fields(Sums))


def add_up(several: Iterable[Sums]) -> Sums:
    """Return the sums of several together."""
    total = Sums()
    for sums in several:
        total.add([getattr(sums, name) for name in FIGURES])
    return total


GROUPS = {
    # group: (column of a roll-up, column of a record)
    "hour": ("hour", "record_hour"),
    "day": ("rollup_day", "record_day"),
    "key": ("key_id", "key_id"),
    "user": ("user_id", "record_user"),
    "model": ("model", "model"),
    "upstream": ("upstream", "upstream"),
}


def sum_usage(
    *,
    membership: Membership,
    since: datetime,
    until: datetime | None = None,
    group_by: tuple[str, ...] = (),
    figures: tuple[str, ...] = (),
) -> dict[tuple[Any, ...], Sums]:
    """Return the sums of what a member may see, in [since, until): the values of ``group_by`` → sums.

    Only ``figures`` are reckoned, all where none is named. ``group_by``: hour, key, user, model, upstream.
    Without it there is one entry, of (). Where records are forgotten already, an hour that begins before
    ``since`` is missing as a whole.
    """
    rollups = Rollup.objects.visible_to(membership)
    records = UsageRecord.objects.visible_to(membership)
    return sum_rows(rollups, records, since, until or NEVER, group_by, figures=figures)


def sum_site(*, since: datetime, until: datetime, group_by: tuple[str, ...]) -> dict[tuple[Any, ...], Sums]:
    """Return what ``sum_usage`` does of all organizations together, for the operator."""
    return sum_rows(Rollup.objects.all(), UsageRecord.objects.all(), since, until, group_by)


def sum_rows(
    rollups: "QuerySet[Rollup]",
    records: "QuerySet[UsageRecord]",
    since: datetime,
    until: datetime,
    group_by: tuple[str, ...],
    *,
    figures: tuple[str, ...] = (),
    zone: ZoneInfo | None = None,
) -> dict[tuple[Any, ...], Sums]:
    """Return the sums of these in [since, until): the values of ``group_by`` → sums, of which ``figures`` are reckoned.

    The roll-ups and the records must be the same requests. A ``day`` is one of ``zone``; where the
    zone is not whole hours from UTC, an hour that midnight divides counts as it began.
    """
    names = figures or FIGURES
    by_hour, by_record = ([GROUPS[name][side] for name in group_by or ("model",)] for side in (0, 1))
    first, end = ceil_hour(since), floor_hour(until)

    def from_records(found: "QuerySet[UsageRecord]") -> QuerySet:
        return sum_records(found, *by_record, figures=names, zone=zone)

    if first < end:
        parts = [
            from_records(records.filter(created_at__gte=since, created_at__lt=first)),
            sum_rollups(rollups.filter(hour__gte=first, hour__lt=end), *by_hour, figures=names, zone=zone),
            from_records(_behind_mark(records, first, end).filter(created_at__lt=until)),
        ]
    else:
        parts = [from_records(records.filter(created_at__gte=since, created_at__lt=until))]
    found = {} if group_by else {(): Sums()}
    for row in parts[0].union(*parts[1:], all=True):
        place, values = row[: -len(names)], row[-len(names) :]
        found.setdefault(place if group_by else (), Sums()).add(values, names)
    return found


def _behind_mark(records: "QuerySet[UsageRecord]", first: datetime, end: datetime) -> "QuerySet[UsageRecord]":
    """Return the records from ``first`` on that the roll-ups of the hours up to ``end`` do not hold."""
    mark, known = Mark.objects.filter(name=ROLLED_UP).values("at"), read_rolled_up()
    moved = Greatest(_instant(first), Least(Coalesce(Subquery(mark), _instant(EPOCH)), _instant(end)))
    # The mark as it was a moment ago lets the database choose its way; as it is now, it decides.
    return records.filter(created_at__gte=max(first, min(known, end))).filter(created_at__gte=moved)


def read_rolled_up() -> datetime:
    """Return the instant up to which the roll-ups hold the records."""
    return Mark.objects.filter(name=ROLLED_UP).values_list("at", flat=True).first() or EPOCH


def _instant(at: datetime) -> Value:
    return Value(at, output_field=DateTimeField())


def floor_hour(at: datetime) -> datetime:
    """Return the beginning of an instant's hour, in UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def ceil_hour(at: datetime) -> datetime:
    """Return the first beginning of an hour from an instant on, in UTC."""
    return floor_hour(at + HOUR - timedelta(microseconds=1))


def sum_rollups(
    rollups: "QuerySet[Rollup]", *by: str, figures: tuple[str, ...], zone: ZoneInfo | None = None
) -> QuerySet:
    placed = rollups.annotate(rollup_day=TruncDate("hour", tzinfo=zone)) if "rollup_day" in by else rollups
    return placed.order_by().values_list(*by).annotate(**{f"sum_{name}": Sum(name) for name in figures})


def sum_records(
    records: "QuerySet[UsageRecord]", *by: str, figures: tuple[str, ...] = FIGURES, zone: ZoneInfo | None = None
) -> QuerySet:
    """Return the records summed by these columns: rows of them and the figures, in the order of ``figures``."""
    estimated = ~Q(count_source=UsageRecord.CountSource.PROVIDER)
    timed = Q(status=UsageRecord.Status.COMPLETED, stream=True, first_token_ms__isnull=False)
    sums = {
        "requests": Count("pk"),
        "completed": Count("pk", filter=Q(status=UsageRecord.Status.COMPLETED)),
        "failed": Count("pk", filter=Q(status=UsageRecord.Status.FAILED)),
        # What an upstream refused because of the request itself: it would have been refused anywhere.
        "client_errors": Count("pk", filter=Q(status=UsageRecord.Status.FAILED, http_status__lt=500)),
        "estimated": Count("pk", filter=estimated),
        "estimated_tokens": Sum(F("input_tokens") + F("output_tokens"), filter=estimated),
        "costed": Count("cost_nanos"),
        "first_token_ms": Sum("first_token_ms", filter=timed),
        "timed": Count("pk", filter=timed),
        "stream_ms": Sum(F("total_ms") - F("first_token_ms"), filter=timed),
        "stream_tokens": Sum("output_tokens", filter=timed),
    }
    places = {
        "record_user": Coalesce("user_id", "key__created_by_id"),
        "record_hour": TruncHour("created_at", tzinfo=UTC),
        "record_day": TruncDate("created_at", tzinfo=zone),
    }
    placed = records.annotate(**{name: places[name] for name in by if name in places})
    # Named apart from the fields they sum: an aggregate may not have a field's name.
    named = {f"sum_{name}": Coalesce(sums.get(name, Sum(name)), 0) for name in figures}
    return placed.order_by().values_list(*by).annotate(**named)
