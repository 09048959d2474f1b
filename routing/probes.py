"""Probes: an upstream without traffic is asked for its models, so that rests end, or begin, before clients notice."""

from datetime import timedelta

from django.utils import timezone

from billing import retention, rows
from billing.attempts import REASONS
from billing.models import UsageRecord
from billing.sums import floor_hour
from routing import dialects, sharing
from routing.dialects.base import UpstreamFault
from routing.health import Alarm, Standing, mark_credential, upstream_place
from routing.models import ProbeSum, Upstream, UpstreamHealth
from routing.notices import warn_admin
from routing.snapshot import describe_upstream
from routing.upstream import ask

SECONDS = 5.0
QUIET = timedelta(minutes=5)


def probe_quiet() -> int:
    """Probe the upstreams that are to be and had no traffic for five minutes; return how many answered well."""
    since = timezone.now() - QUIET
    return sum(
        probe(upstream=upstream)
        for upstream in Upstream.objects.filter(is_probed=True).select_related("provider").order_by("pk")
        if not UsageRecord.objects.filter(upstream=upstream.slug, created_at__gte=since).exists()
    )


def probe(*, upstream: Upstream) -> bool:
    """Ask one upstream for its models; a success ends its rest, a failure counts as one. Tell whether it answered."""
    fault, problem = _ask(upstream)
    sharing.note(upstream_id=upstream.pk, probed_at=timezone.now(), probe_problem=problem[:200])
    _count(upstream, is_answered=fault is None)
    standing = _read_standing(upstream)
    if fault is None:
        # A list of models may be public: it proves nothing about the credential.
        if not standing.refused and standing != Standing():
            sharing.write_standings({upstream_place(upstream): Standing()})
        return True
    if fault.cools_down and not fault.rests_route:  # a provider without a list of models is not at fault
        failed = standing.failed(fault, mark_credential(upstream))
        sharing.write_standings({upstream_place(upstream): failed})
        if fault.tells_admin:
            warn_admin(Alarm(upstream.slug, fault.reason, failed.is_set_aside))
    return False


def _ask(upstream: Upstream) -> tuple[UpstreamFault | None, str]:
    """Return what is wrong, in the gateway's words and in people's; None where nothing is."""
    record, dialect = describe_upstream(upstream), dialects.get(upstream.dialect)
    try:
        ask(record, dialect, dialect.models_url(record.base_url), seconds=SECONDS)
    except UpstreamFault as fault:
        words = REASONS.get(fault.reason, fault.reason)
        return fault, f"status {fault.status}: {words}" if fault.status else words
    return None, ""


def _count(upstream: Upstream, *, is_answered: bool) -> None:
    """Count a probe in its hour and its day."""
    hour = floor_hour(timezone.now())
    spans = ((ProbeSum.Span.HOUR, hour), (ProbeSum.Span.DAY, hour.replace(hour=0)))
    values, parameters = rows.values_list(
        [(span.value, at, upstream.pk, int(is_answered), int(not is_answered)) for span, at in spans]
    )
    changes = ", ".join(f"{name} = routing_probesum.{name} + excluded.{name}" for name in ("answered", "failed"))
    rows.execute(
        f"INSERT INTO routing_probesum (span, starts_at, upstream_id, answered, failed) VALUES {values} "
        f"ON CONFLICT (span, starts_at, upstream_id) DO UPDATE SET {changes}",
        parameters,
    )


def forget_hours() -> int:
    """Delete the old hours of probes; their days stay."""
    return retention.delete_hours(ProbeSum, rows.read_clock())


def _read_standing(upstream: Upstream) -> Standing:
    row = UpstreamHealth.objects.filter(upstream=upstream).first()
    return sharing.read_standing(row, rows.read_clock()) if row else Standing()
