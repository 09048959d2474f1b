"""Health between processes: what one has learnt is written to ``UpstreamHealth``, the others read it.

Rests are kept by the database's clock. A row counts as news when its ``changed_at`` has
moved; balances and probes leave that alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from billing import rows
from routing.health import Standing
from routing.models import Upstream, UpstreamHealth

FIELDS = ["failures", "reason", "rests_until", "refused_credentials", "refused_credential", "set_aside_at"]


@dataclass(frozen=True, slots=True)
class News:
    """A row as it was read: when it last changed, and the standing in it."""

    changed_at: datetime
    standing: Standing


def read_news() -> dict[str, News]:
    """Return upstream's slug → what its row says."""
    now = rows.read_clock()
    found = UpstreamHealth.objects.select_related("upstream").only("upstream__slug", "changed_at", *FIELDS)
    return {row.upstream.slug: News(row.changed_at, read_standing(row, now)) for row in found}


def read_standing(row: UpstreamHealth, now: datetime) -> Standing:
    """Return the standing in a row, with what is left of its rest at this time."""
    left = (row.rests_until - now).total_seconds() if row.rests_until else 0.0
    return Standing(
        failures=row.failures,
        reason=row.reason,
        rest_seconds=max(0.0, left),
        refused=row.refused_credentials,
        refused_credential=row.refused_credential,
        is_set_aside=row.set_aside_at is not None,
    )


def write_standings(standings: Mapping[str, Standing]) -> None:
    """Write how these upstreams (by slug) stand; those that are no rows, like the demo, are left out."""
    now, changed_at = rows.read_clock(), timezone.now()
    known = dict(Upstream.objects.filter(slug__in=list(standings)).values_list("slug", "pk"))
    written = [
        UpstreamHealth(upstream_id=known[slug], changed_at=changed_at, **_columns(standing, now))
        for slug, standing in standings.items()
        if slug in known
    ]
    if written:
        UpstreamHealth.objects.bulk_create(
            written, update_conflicts=True, unique_fields=["upstream"], update_fields=[*FIELDS, "changed_at"]
        )


def _columns(standing: Standing, now: datetime) -> dict[str, object]:
    return {
        "failures": standing.failures,
        "reason": standing.reason,
        "rests_until": now + timedelta(seconds=standing.rest_seconds) if standing.rest_seconds else None,
        "refused_credentials": standing.refused,
        "refused_credential": standing.refused_credential,
        "set_aside_at": now if standing.is_set_aside else None,
    }


def note(*, upstream_id: int, **columns: object) -> None:
    """Keep what a balance or a probe has shown; how the upstream stands is left alone."""
    row = UpstreamHealth(upstream_id=upstream_id, **columns)
    UpstreamHealth.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["upstream"], update_fields=list(columns)
    )
