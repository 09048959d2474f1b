"""What requests brought in and what they cost, per UTC day and upstream."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from billing.sums import FIGURES, Sums, sum_site

MOST_DAYS = 31


@dataclass(frozen=True, slots=True)
class Margin:
    """The requests of a day that an upstream answered; amounts in nano-dollars."""

    day: date
    upstream: str
    sums: Sums = field(default_factory=Sums)

    def add(self, sums: Sums) -> None:
        self.sums.add(tuple(getattr(sums, name) for name in FIGURES))

    @property
    def nanos(self) -> int:
        return self.sums.charge_nanos - self.sums.cost_nanos

    @property
    def percent(self) -> float | None:
        """The margin of 100 charged; None where nothing was charged."""
        return 100 * self.nanos / self.sums.charge_nanos if self.sums.charge_nanos else None

    @property
    def counted_tokens(self) -> int:
        """Tokens that the provider counted itself."""
        return self.sums.input_tokens + self.sums.output_tokens - self.sums.estimated_tokens

    @property
    def uncosted(self) -> int:
        """Requests whose cost is not known, so that the margin is too high."""
        return self.sums.requests - self.sums.costed


def begin_day(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def list_margins(*, first: date, last: date, upstream: str = "") -> list[Margin]:
    """Return the margins of these UTC days, at most 31, newest first, an upstream's or all."""
    since, until = begin_day(max(first, last - timedelta(days=MOST_DAYS - 1))), begin_day(last + timedelta(days=1))
    found: dict[tuple[date, str], Margin] = {}
    for (hour, slug), sums in sum_site(since=since, until=until, group_by=("hour", "upstream")).items():
        if not upstream or slug == upstream:
            place = (hour.date(), slug)
            found.setdefault(place, Margin(*place)).add(sums)
    return [found[place] for place in sorted(found, key=lambda place: (-place[0].toordinal(), place[1]))]


def add_up(margins: list[Margin]) -> Margin | None:
    """Return the sum of all, None where there are none; its day is the newest."""
    if not margins:
        return None
    total = Margin(margins[0].day, "")
    for margin in margins:
        total.add(margin.sums)
    return total
