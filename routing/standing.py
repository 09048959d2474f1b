"""How the routes of a pool stand: their health, their share of traffic, what failed in the last hour."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts import audit
from billing.models import UsageRecord
from routing.models import Pool, Route, RouteHealth, Upstream, UpstreamHealth

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


def describe_state(health: UpstreamHealth | None, now: datetime, route: RouteHealth | None = None) -> str:
    """Return in words how an upstream, or one of its routes, is, by what all processes know of it."""
    if health and health.set_aside_at:
        return "set aside: its credential was refused twice"
    resting = (one for one in (health, route) if one and one.rests_until and one.rests_until > now)
    if one := next(resting, None):
        return f"resting until {one.rests_until:%H:%M:%S} UTC: {one.reason.replace('_', ' ') or 'failures'}"
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
    found = RouteHealth.objects.filter(upstream__routes__pool=pool)
    alone = {(row.upstream_id, row.upstream_model): row for row in found}
    routes = Route.objects.filter(pool=pool).select_related("upstream__provider")
    now = timezone.now()
    return {
        route.pk: Standing(
            state=describe_state(
                health.get(route.upstream_id), now, alone.get((route.upstream_id, route.upstream_model))
            ),
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
    """End the rests of an upstream and its routes, and forget that its credential was refused.

    Tell whether there was anything to end.
    """
    healthy = {"failures": 0, "reason": "", "rests_until": None, "changed_at": timezone.now()}
    changed = RouteHealth.objects.filter(upstream=upstream).update(**healthy)
    changed += UpstreamHealth.objects.filter(upstream=upstream).update(
        **healthy, refused_credentials=0, refused_credential="", set_aside_at=None
    )
    if changed:
        audit.record(actor=actor, action="upstream.put_back", target=f"upstream {upstream}")
    return changed > 0
