"""What an administrator must know first: today's traffic and margin, and everything that waits for a person.

Traffic comes from the roll-ups, for all organizations together; days are UTC, as everywhere in the admin.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from billing.models import Limit, Mark, PaymentEvent, Proof, ReconcileRun, UsageRecord
from billing.sums import EPOCH, ROLLED_UP, Sums, add_up, floor_hour, sum_site
from routing.dialects.meanings import POLICIES
from routing.models import Upstream, UpstreamHealth

NEEDS_A_PERSON = {meaning.value for meaning, policy in POLICIES.items() if policy.tells_admin}
HOURS = 24
MOST_ROWS = 8
LATE = timedelta(minutes=15)
"""The worker sums usage every minute: after so long without it does not run."""
RECENT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of the present day, by upstream, and of each of the last 24 hours (the oldest first)."""

    today: Sums
    upstreams: list[tuple[str, Sums]]
    hours: list[tuple[datetime, Sums]]

    @property
    def margin_nanos(self) -> int:
        return self.today.charge_nanos - self.today.cost_nanos

    @property
    def uncosted(self) -> int:
        """Requests of today whose cost is not known, so that the margin is too high."""
        return self.today.requests - self.today.costed

    @property
    def first_token_ms(self) -> int | None:
        return round(self.today.first_token_ms / self.today.timed) if self.today.timed else None


def read_traffic(now: datetime) -> Traffic:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = floor_hour(now) - timedelta(hours=HOURS - 1)
    found = sum_site(since=min(first, midnight), until=now, group_by=("hour", "upstream"))
    today = {place: sums for place, sums in found.items() if place[0] >= midnight}
    by_upstream = {slug: add_up(sums for place, sums in today.items() if place[1] == slug) for _, slug in today}
    hours = [first + timedelta(hours=number) for number in range(HOURS)]
    return Traffic(
        today=add_up(today.values()),
        upstreams=sorted(by_upstream.items(), key=lambda row: (-row[1].failed, -row[1].requests))[:MOST_ROWS],
        hours=[(hour, add_up(sums for place, sums in found.items() if place[0] == hour)) for hour in hours],
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """An hour in the drawing of the day: places and heights in its own units."""

    x: int
    all: float
    failed: float
    words: str


def draw_hours(traffic: Traffic, *, height: float = 48, step: int = 12) -> list[Bar]:
    """Return a bar for each hour, the tallest as high as the drawing."""
    most = max((sums.requests for _, sums in traffic.hours), default=0) or 1
    return [
        Bar(
            x=number * step,
            all=round(height * sums.requests / most, 1),
            failed=round(height * sums.failed / most, 1),
            words=f"{hour:%H}:00 UTC: {sums.requests} requests, {sums.failed} failed",
        )
        for number, (hour, sums) in enumerate(traffic.hours)
    ]


def low_wallets() -> "QuerySet[Limit]":
    """Return the wallets that had money and have less left than their owner wants to be told of, emptiest first."""
    left = F("limit_nanos") - F("spent_nanos") - F("held_nanos")
    return (
        Limit.objects.filter(kind=Limit.Kind.WALLET, limit_nanos__gt=0, organization__closed_at=None)
        .annotate(left=left)
        .filter(left__lt=Coalesce(F("organization__low_balance_nanos"), 1))
        .select_related("organization")
        .order_by("left", "pk")
    )


def resting_upstreams(now: datetime) -> "QuerySet[UpstreamHealth]":
    """Return what rests or was set aside at this moment."""
    health = UpstreamHealth.objects.select_related("upstream").order_by("upstream__slug")
    return health.filter(rests_until__gt=now) | health.exclude(set_aside_at=None)


@dataclass(frozen=True, slots=True)
class Alarm:
    text: str
    address: str


def list_alarms(now: datetime) -> list[Alarm]:
    """Return what is wrong at this moment, the books first."""
    return [*_book_alarms(now), *_account_alarms(now), *_upstream_alarms(), *_worker_alarms(now)]


def _book_alarms(now: datetime) -> Iterator[Alarm]:
    proof, run = Proof.objects.order_by("-pk").first(), ReconcileRun.objects.order_by("-pk").first()
    if proof and proof.difference_count:
        text = f"The books differ in {proof.difference_count} rows (checked {proof.started_at:%Y-%m-%d %H:%M})."
        yield Alarm(text, _page("billing_proof", proof.pk))
    if run and run.difference_count:
        text = f"{run.difference_count} charges are not what tokens and price make ({run.started_at:%Y-%m-%d})."
        yield Alarm(text, _page("billing_reconcilerun", run.pk))
    if problems := PaymentEvent.objects.exclude(problem="").filter(received_at__gte=now - RECENT).count():
        events = reverse("admin:billing_paymentevent_changelist", query={"problem": "yes"})
        yield Alarm(f"Payment events with a problem in the last 7 days: {problems}.", events)


def _account_alarms(now: datetime) -> Iterator[Alarm]:
    """What a person must mend at a provider: waiting does not."""
    for health in resting_upstreams(now):
        if health.set_aside_at or health.reason in NEEDS_A_PERSON:
            why = "it refused this site's credential twice" if health.set_aside_at else health.why
            yield Alarm(f"{health.upstream}: {why}.", _page("routing_upstream", health.upstream_id))


def _upstream_alarms() -> Iterator[Alarm]:
    for upstream in Upstream.objects.select_related("health").filter(health__balance__lt=F("balance_alarm")):
        left = f"{upstream.health.balance:f} {upstream.health.balance_currency}"
        yield Alarm(f"{upstream} has {left} left.", _page("routing_upstream", upstream.pk))
    for upstream in Upstream.objects.select_related("health").filter(is_probed=True):
        problem = getattr(getattr(upstream, "health", None), "probe_problem", "")
        if problem:
            yield Alarm(f"{upstream} does not answer its probe: {problem}.", _page("routing_upstream", upstream.pk))


def _worker_alarms(now: datetime) -> Iterator[Alarm]:
    mark = Mark.objects.filter(name=ROLLED_UP).values_list("at", flat=True).first() or EPOCH
    waiting = UsageRecord.objects.filter(created_at__gte=mark, created_at__lt=now - LATE).order_by("created_at").first()
    if waiting:
        text = f"Usage since {waiting.created_at:%Y-%m-%d %H:%M} UTC is not summed yet: does the worker run?"
        yield Alarm(text, reverse("admin:billing_usagerecord_changelist"))


def _page(name: str, pk: Any) -> str:
    return reverse(f"admin:{name}_change", args=[pk])


def read_overview(may: Any) -> dict[str, Any]:
    """Return the first page's values; ``may`` tells whether the person has a permission, by its name."""
    now = timezone.now()
    values: dict[str, Any] = {"now": now, "most_rows": MOST_ROWS}
    if may("billing.view_usagerecord"):
        traffic = read_traffic(now)
        values |= {"traffic": traffic, "bars": draw_hours(traffic)}
    if may("billing.view_limit"):
        values["wallets"] = low_wallets()[: MOST_ROWS + 1]
    if may("routing.view_upstream"):
        values["resting"] = list(resting_upstreams(now))
    if may("billing.view_proof") and may("routing.view_upstream"):
        values["alarms"] = list_alarms(now)
    return values
