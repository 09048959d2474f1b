"""How the routes of a pool stand: their health, their share of traffic, what failed in the last hour."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts import audit
from billing.models import UsageRecord
from routing.models import Pool, Route, Upstream, UpstreamHealth

HOUR = timedelta(hours=1)
MOST_RECORDS = 2000


@dataclass(frozen=True, slots=True)
class Standing:
    """One route: its state in words, requests it answered, attempts that failed on it, of how many requests in all."""

    state: str
    answered: int
    failed: int
    requests: int

    @property
    def share(self) -> str:
        return f"{100 * self.answered / self.requests:.0f} %" if self.requests else "–"


def describe_state(health: UpstreamHealth | None, now: datetime) -> str:
    """Return in words how an upstream is, by what all processes know of it."""
    if health is None:
        return "healthy"
    if health.set_aside_at:
        return "set aside: its credential was refused twice"
    if health.rests_until and health.rests_until > now:
        return f"resting until {health.rests_until:%H:%M:%S} UTC: {health.reason.replace('_', ' ') or 'failures'}"
    return "healthy"


def read_standings(*, pool: Pool) -> dict[int, Standing]:
    """Return route id → how it stands, from at most 2,000 of the last hour's requests."""
    since = timezone.now() - HOUR
    records = UsageRecord.objects.filter(model=pool.model.slug, created_at__gte=since).order_by("-created_at")
    answered: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    requests = 0
    for attempts in records.values_list("attempts", flat=True)[:MOST_RECORDS]:
        requests += 1
        answered.update(one["route"] for one in attempts if one.get("outcome") == "answered")
        failed.update(one["route"] for one in attempts if one.get("outcome") == "failed")
    health = {row.upstream_id: row for row in UpstreamHealth.objects.filter(upstream__routes__pool=pool)}
    routes = Route.objects.filter(pool=pool).select_related("upstream__provider")
    return {
        route.pk: Standing(
            state=describe_state(health.get(route.upstream_id), timezone.now()),
            answered=answered[label_of(route)],
            failed=failed[label_of(route)],
            requests=requests,
        )
        for route in routes
    }


def label_of(route: Route) -> str:
    """Return the name under which attempts keep a route."""
    return f"{route.upstream.provider.slug} · {route.upstream.slug} · {route.upstream_model}"


@transaction.atomic
def put_back(*, upstream: Upstream, actor: str) -> bool:
    """End an upstream's rest, and forget that its credential was refused; tell whether there was anything to end."""
    changed = UpstreamHealth.objects.filter(upstream=upstream).update(
        failures=0,
        reason="",
        rests_until=None,
        refused_credentials=0,
        refused_credential="",
        set_aside_at=None,
        changed_at=timezone.now(),
    )
    if changed:
        audit.record(actor=actor, action="upstream.put_back", target=f"upstream {upstream}")
    return changed > 0
