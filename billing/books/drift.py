"""Where a provider's bill and what we reckoned go apart, per day and provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Max, Sum

from billing.books.margins import MOST_DAYS
from billing.models import BillLine
from billing.sums import sum_site


@dataclass(slots=True)
class Drift:
    """A day of a provider, as it counts days: tokens and nano-dollars of its bill, and ours."""

    day: date
    provider: str
    bill_tokens: int
    bill_nanos: int
    our_tokens: int = 0
    our_nanos: int = 0

    @property
    def nanos(self) -> int:
        """What the bill has above what we reckoned."""
        return self.bill_nanos - self.our_nanos

    @property
    def percent(self) -> float | None:
        return 100 * self.nanos / self.our_nanos if self.our_nanos else None


def last_billed_day() -> date | None:
    """Return the last day that a bill is there for."""
    found: date | None = BillLine.objects.aggregate(day=Max("day"))["day"]
    return found


def list_drifts(
    *, first: date, last: date, zone: ZoneInfo, providers: Mapping[str, str], provider: str = ""
) -> list[Drift]:
    """Return the billed days, at most 31, the largest drift first.

    ``providers`` says which provider is behind an upstream; ``zone`` where its days
    begin, a zone of whole hours; ``provider`` leaves out all others.
    """
    first = max(first, last - timedelta(days=MOST_DAYS - 1))
    lines = BillLine.objects.filter(day__gte=first, day__lte=last, **({"provider": provider} if provider else {}))
    sums = lines.values_list("day", "provider").order_by().annotate(tokens=Sum("tokens"), nanos=Sum("cost_nanos"))
    drifts = {(day, slug): Drift(day, slug, int(tokens), int(nanos)) for day, slug, tokens, nanos in sums}
    if drifts:
        _add_ours(drifts, zone, providers)
    return sorted(drifts.values(), key=lambda drift: (-abs(drift.nanos), -drift.day.toordinal(), drift.provider))


def _add_ours(drifts: dict[tuple[date, str], Drift], zone: ZoneInfo, providers: Mapping[str, str]) -> None:
    days = [day for day, _ in drifts]
    since, until = _begin_day(min(days), zone), _begin_day(max(days) + timedelta(days=1), zone)
    for (hour, upstream), sums in sum_site(since=since, until=until, group_by=("hour", "upstream")).items():
        drift = drifts.get((hour.astimezone(zone).date(), providers.get(upstream, "")))
        if drift:
            drift.our_tokens += sums.input_tokens + sums.output_tokens
            drift.our_nanos += sums.cost_nanos


def _begin_day(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
