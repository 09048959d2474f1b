"""Health between processes: what one has learnt is written to a row, the others read it.

An upstream's row is in ``UpstreamHealth``, a route's in ``RouteHealth``. Rests are kept by the
database's clock. A row counts as news when its ``changed_at`` has moved; balances and probes
leave that alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from billing import rows
from routing.health import Place, Standing
from routing.models import RouteHealth, Upstream, UpstreamHealth

ROUTE_FIELDS = ["failures", "reason", "rests_until"]
FIELDS = [*ROUTE_FIELDS, "refused_credentials", "refused_credential", "set_aside_at"]


@dataclass(frozen=True, slots=True)
class News:
    """A row as it was read: when it last changed, and the standing in it."""

    changed_at: datetime
    standing: Standing


def read_news() -> dict[Place, News]:
    """Return what the rows say, by what they are about."""
    now = rows.read_clock()
    upstreams = UpstreamHealth.objects.select_related("upstream").only("upstream__slug", "changed_at", *FIELDS)
    routes = RouteHealth.objects.select_related("upstream")
    news = {(row.upstream.slug, ""): News(row.changed_at, read_standing(row, now)) for row in upstreams}
    return news | {
        (row.upstream.slug, row.upstream_model): News(row.changed_at, _read_route_standing(row, now)) for row in routes
    }


def read_standing(row: UpstreamHealth, now: datetime) -> Standing:
    """Return the standing in a row, with what is left of its rest at this time."""
    return Standing(
        failures=row.failures,
        reason=row.reason,
        rest_seconds=_seconds_left(row, now),
        refused=row.refused_credentials,
        refused_credential=row.refused_credential,
        is_set_aside=row.set_aside_at is not None,
    )


def _read_route_standing(row: RouteHealth, now: datetime) -> Standing:
    return Standing(failures=row.failures, reason=row.reason, rest_seconds=_seconds_left(row, now))


def _seconds_left(row: UpstreamHealth | RouteHealth, now: datetime) -> float:
    return max(0.0, (row.rests_until - now).total_seconds()) if row.rests_until else 0.0


def write_standings(standings: Mapping[Place, Standing]) -> None:
    """Write how these stand; those whose upstream is no row, like the demo, are left out."""
    now, changed_at = rows.read_clock(), timezone.now()
    known = dict(Upstream.objects.filter(slug__in={slug for slug, _ in standings}).values_list("slug", "pk"))
    found = {place: standing for place, standing in standings.items() if place[0] in known}
    upstreams = [
        UpstreamHealth(upstream_id=known[slug], changed_at=changed_at, **_columns(standing, now))
        for (slug, model), standing in found.items()
        if not model
    ]
    routes = [
        RouteHealth(
            upstream_id=known[slug], upstream_model=model, changed_at=changed_at, **_route_columns(standing, now)
        )
        for (slug, model), standing in found.items()
        if model
    ]
    if upstreams:
        UpstreamHealth.objects.bulk_create(
            upstreams, update_conflicts=True, unique_fields=["upstream"], update_fields=[*FIELDS, "changed_at"]
        )
    if routes:
        RouteHealth.objects.bulk_create(
            routes,
            update_conflicts=True,
            unique_fields=["upstream", "upstream_model"],
            update_fields=[*ROUTE_FIELDS, "changed_at"],
        )


def _columns(standing: Standing, now: datetime) -> dict[str, object]:
    return {
        **_route_columns(standing, now),
        "refused_credentials": standing.refused,
        "refused_credential": standing.refused_credential,
        "set_aside_at": now if standing.is_set_aside else None,
    }


def _route_columns(standing: Standing, now: datetime) -> dict[str, object]:
    return {
        "failures": standing.failures,
        "reason": standing.reason,
        "rests_until": now + timedelta(seconds=standing.rest_seconds) if standing.rest_seconds else None,
    }


def note(*, upstream_id: int, **columns: object) -> None:
    """Keep what a balance or a probe has shown; how the upstream stands is left alone."""
    row = UpstreamHealth(upstream_id=upstream_id, **columns)
    UpstreamHealth.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["upstream"], update_fields=list(columns)
    )
