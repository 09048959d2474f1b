"""How each served model does: hours and days of real requests and of probes, and what rests now.

Read from the sums that are made beside the roll-ups. Requests that were at fault themselves
and those that clients broke off count neither for a model nor against it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from billing.models import ModelSum
from billing.sums import floor_hour
from playground.bars import Bar, Cell, draw_bar
from playground.comparison import ModelRow, list_rows
from routing.models import ProbeSum, Route, UpstreamHealth

HOURS, DAYS = 24, 90
FEW = 20
"""A rate of fewer requests than this says little, and is shown with that remark."""

IDLE = Cell()

Found = dict[tuple[str, datetime], Cell]
"""(model, beginning of the hour or day) → what happened in it."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A provider that is not asked now, and for how many seconds; None where the operator must act."""

    provider: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """A row of cells as a picture, and what they come to. ``latest`` are the last two."""

    bar: Bar
    completed: int
    ended: int
    first_token_ms: int
    timed: int
    has_probes: bool
    latest: Sequence[Cell]

    @classmethod
    def of(cls, cells: Sequence[Cell], *, names: Sequence[str], unit: str) -> "Span":
        busy = [cell for cell in cells if cell is not IDLE]
        return cls(
            bar=draw_bar(cells, names=names, unit=unit),
            completed=sum(cell.completed for cell in busy),
            ended=sum(cell.completed + cell.failed for cell in busy),
            first_token_ms=sum(cell.first_token_ms for cell in busy),
            timed=sum(cell.timed for cell in busy),
            has_probes=any(cell.answered or cell.unanswered for cell in busy),
            latest=cells[-2:],
        )

    @property
    def success_percent(self) -> str:
        """Return e.g. ``99.4 %``, cut rather than rounded: 100 means that nothing failed; '' without traffic."""
        if not self.ended:
            return ""
        thousandths = 1000 * self.completed // self.ended
        return "100 %" if thousandths == 1000 else f"{thousandths / 10:.1f} %"

    @property
    def is_few(self) -> bool:
        return 0 < self.ended < FEW

    @property
    def is_empty(self) -> bool:
        return not self.ended and not self.has_probes

    @property
    def first_token_seconds(self) -> str:
        return f"{self.first_token_ms / self.timed / 1000:.2f} s" if self.timed else ""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    row: ModelRow
    day: Span
    quarter: Span
    providers: int
    rests: list[Rest] = field(default_factory=list)

    @property
    def is_demo(self) -> bool:
        return not self.providers

    @property
    def is_down(self) -> bool:
        """Tell whether no provider of this model can be asked now."""
        return bool(self.rests) and len(self.rests) >= self.providers


def read_status() -> list[ModelStatus]:
    """Return the status of every served model, in the families' order."""
    now = timezone.now()
    hour = floor_hour(now)
    day = hour.replace(hour=0)
    hours = [hour - timedelta(hours=back) for back in reversed(range(HOURS))]
    days = [day - timedelta(days=back) for back in reversed(range(DAYS))]
    hour_names, day_names = [f"{at:%H}:00" for at in hours], [f"{at.day} {at:%B}" for at in days]
    routes = _read_routes()
    by_hour, by_day = _read(ModelSum.Span.HOUR, hours[0], routes), _read(ModelSum.Span.DAY, days[0], routes)
    rests = _read_rests(now)
    return [
        ModelStatus(
            row=row,
            day=_span(by_hour, row.model.slug, hours, "hour", hour_names),
            quarter=_span(by_day, row.model.slug, days, "day", day_names),
            providers=len(routes[row.model.slug]),
            rests=[rests[pk] for pk in sorted(routes[row.model.slug] & rests.keys())],
        )
        for row in list_rows()
        if row.is_served
    ]


def find_down() -> set[str]:
    """Return the models of which no provider can be asked now."""
    rests = _read_rests(timezone.now())
    return {model for model, upstreams in _read_routes().items() if upstreams <= rests.keys()} if rests else set()


def _span(found: Found, model: str, times: Sequence[datetime], unit: str, names: Sequence[str]) -> Span:
    cells = [found.get((model, at)) or IDLE for at in times]
    return Span.of(cells, names=names, unit=unit)


def _read_routes() -> dict[str, set[int]]:
    """Return model → the upstreams of its enabled routes."""
    routes: dict[str, set[int]] = defaultdict(set)
    for model, upstream in Route.objects.filter(enabled=True).values_list("pool__model__slug", "upstream_id"):
        routes[model].add(upstream)
    return routes


def _read(span: str, since: datetime, routes: dict[str, set[int]]) -> Found:
    sums = ModelSum.objects.filter(span=span, starts_at__gte=since)
    figures = ("completed", "failed", "client_errors", "first_token_ms", "timed")
    found: Found = {
        (model, at): Cell(completed, failed - client_errors, first_token_ms=first_token_ms, timed=timed)
        for model, at, completed, failed, client_errors, first_token_ms, timed in sums.values_list(
            "model", "starts_at", *figures
        )
    }
    models = defaultdict(list)
    for model, upstreams in routes.items():
        for upstream in upstreams:
            models[upstream].append(model)
    probes = ProbeSum.objects.filter(span=span, starts_at__gte=since)
    for upstream, at, answered, failed in probes.values_list("upstream_id", "starts_at", "answered", "failed"):
        for model in models[upstream]:
            cell = found.setdefault((model, at), Cell())
            cell.answered += answered
            cell.unanswered += failed
    return found


def _read_rests(now: datetime) -> dict[int, Rest]:
    """Return upstream → its rest, of those that are not asked now."""
    health = UpstreamHealth.objects.filter(Q(rests_until__gt=now) | Q(set_aside_at__isnull=False))
    found = health.values_list("upstream_id", "upstream__provider__name", "rests_until", "set_aside_at")
    return {
        pk: Rest(name, None if set_aside_at or not until else max(1, round((until - now).total_seconds())))
        for pk, name, until, set_aside_at in found
    }


def describe(statuses: list[ModelStatus]) -> tuple[str, str]:
    """Return how things are in a sentence, and as a word: ok, warn, bad or ''."""
    if not statuses:
        return "No model is served on this site yet.", ""
    down = [status.row.family.name for status in statuses if status.is_down]
    resting = sorted({rest.provider for status in statuses for rest in status.rests})
    if len(down) == len(statuses):
        return "No model can be reached now: every provider is resting after failures.", "bad"
    if down:
        return f"{_names(down)} can't be reached now: the providers are resting after failures.", "bad"
    if resting:
        return f"All models can be reached. {_names(resting)}: not asked now, after failures; others are.", "warn"
    if not any(status.day.ended or status.day.has_probes for status in statuses):
        return "Nothing is known of the last 24 hours: there was no traffic and no probe.", ""
    failing = [status.row.family.name for status in statuses if _fails_now(status.day)]
    if failing:
        return f"All models can be reached, but requests to {_names(failing)} have failed within the hour.", "warn"
    return "All models can be reached.", "ok"


def _fails_now(day: Span) -> bool:
    """Tell whether more than one in a hundred requests failed in this hour and the one before."""
    failed, completed = sum(cell.failed for cell in day.latest), sum(cell.completed for cell in day.latest)
    return 100 * failed > failed + completed


def _names(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
