"""Ends the holds of processes that have fallen silent, and holds past their deadline.

Called by every gateway process and by Celery; two at once share the work. What was
delivered up to the last checkpoint is charged, the rest of the hold given back.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.keys import build_record
from billing import locks, rows
from billing.budgets import KeyLimits
from billing.costs import CostRecord
from billing.holds import Admission, HoldRequest, PriceRecord
from billing.models import Heartbeat, Hold, UsageRecord
from billing.settles import Settlement, Tokens, settle_batch

SILENT_SECONDS = 60
SWEEP_BATCH = 100
MAX_MS = 2**31 - 1
"""What a record's column takes, 24 days: a site may have been off for longer."""


def beat(process: UUID) -> None:
    """Say that this process is alive, by the database's clock."""
    now = rows.read_clock()
    Heartbeat.objects.update_or_create(
        process=process, defaults={"beat_at": now}, create_defaults={"beat_at": now, "started_at": now}
    )


def say_goodbye(process: UUID) -> None:
    """Forget a process that has ended in good order."""
    Heartbeat.objects.filter(process=process).delete()


@transaction.atomic
def write_checkpoints(checkpoints: list[tuple[UUID, dict[str, Any]]]) -> None:
    """Note on open holds what was delivered so far; holds that somebody has locked wait for the next time."""
    rows.set_guards()
    locked = locks.lock_holds([id_ for id_, _ in checkpoints], skip_locked=True)
    ready = [(id_, reached) for id_, reached in checkpoints if id_ in locked]
    if not ready:
        return
    values, parameters = rows.values_list(ready, ["uuid", "jsonb"])
    rows.execute(
        f"WITH fresh (hold_id, delivered) AS (VALUES {values}) UPDATE billing_hold "
        "SET checkpoint = delivered FROM fresh WHERE id = hold_id AND state = 'open'",
        parameters,
    )


def sweep() -> int:
    """Settle all holds that nobody will end any more; return how many."""
    swept = 0
    while batch := _sweep_batch():
        swept += batch
    return swept


@transaction.atomic
def _sweep_batch() -> int:
    found = list(_find_abandoned()[:SWEEP_BATCH])
    if not found:
        return 0
    outcomes = settle_batch([_settlement(hold) for hold in found], skip_locked=True)
    return sum(1 for outcome in outcomes if getattr(outcome, "charge", None) is not None)


def _find_abandoned() -> Any:
    now = rows.read_clock()
    alive = Heartbeat.objects.filter(beat_at__gt=now - timedelta(seconds=SILENT_SECONDS)).values("process")
    abandoned = Q(deadline_at__lt=now) | ~Q(process__in=alive)
    # A hold can be older than its process's first heartbeat by a moment.
    settled_in = now - timedelta(seconds=SILENT_SECONDS)
    holds = Hold.objects.filter(abandoned, state=Hold.State.OPEN, started_at__lt=settled_in)
    return holds.select_related("key__organization", "price", "day", "month").order_by("pk")


def _settlement(hold: Hold) -> Settlement:
    """Build from the hold row alone what its process can't say any more."""
    reached = hold.checkpoint or {}
    ended_at = rows.read_clock()
    tokens = Tokens.clamped(reached.get("input"), 0, reached.get("output"), reached.get("reasoning"))
    cost = reached.get("cost")
    return Settlement(
        admission=_admission(hold),
        tokens=tokens,
        status=UsageRecord.Status.ABORTED,
        http_status=200 if reached else 502,
        ended_by=UsageRecord.EndedBy.GATEWAY,
        count_source=UsageRecord.CountSource.CHECKPOINT,
        total_ms=min(int((ended_at - hold.started_at).total_seconds() * 1000), MAX_MS),
        error_code="gateway_lost",
        provider=reached.get("provider", ""),
        upstream=reached.get("upstream", ""),
        upstream_model=reached.get("upstream_model", ""),
        demo=reached.get("demo", False),
        first_token_ms=reached.get("first_token_ms"),
        attempts=reached.get("attempts", []),
        is_sweep=True,
        **(CostRecord.unpack(cost).describe(tokens) if cost else {}),
    )


def _admission(hold: Hold) -> Admission:
    price = hold.price
    request = HoldRequest(
        id=hold.pk,
        key=replace(build_record(hold.key), user_id=hold.user_id),
        model=hold.model,
        price=PriceRecord(price.pk, (price.input_micros, price.cached_micros, price.output_micros)),
        input_bound=hold.input_estimate,
        output_limit=hold.output_limit,
        default_output=hold.output_limit,
        stream=hold.stream,
        client_request_id=hold.client_request_id,
        sdk_retry=hold.sdk_retry,
    )
    limits = KeyLimits.of_hold(hold)
    return Admission(request, hold.process, limits, hold.amount_nanos, hold.output_limit, hold.started_at, {})
