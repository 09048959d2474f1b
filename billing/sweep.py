"""Ends the holds that no journey ends: of processes that have fallen silent, past their deadline, given up.

Called by every gateway process and by Celery; two at once share the work. What was
delivered up to the last checkpoint is charged, the rest of the hold given back.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q

from accounts.keys import build_record
from billing import locks, rows
from billing.alarms import alarm
from billing.budgets import KeyLimits
from billing.costs import CostRecord
from billing.models import Heartbeat, Hold, Limit, UsageRecord
from billing.requests import DEFERRED, Admission, Deferred, HoldRequest, PriceRecord
from billing.settlements import Outcome, Settlement, Tokens
from billing.settles import settle_batch

SILENT_SECONDS = 60
SWEEP_BATCH = 100
MAX_MS = 2**31 - 1
"""What a record's column takes, 24 days: a site may have been off for longer."""

logger = logging.getLogger(__name__)


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
    """Settle all holds that nobody will end any more; return how many.

    One that can't be settled, whatever its checkpoint says, hurts no other: it stays, and is an alarm.
    """
    swept, failed = 0, set[UUID]()
    while True:
        found = list(_find_abandoned().exclude(pk__in=failed)[:SWEEP_BATCH])
        before = swept + len(failed)
        try:
            swept += _end(found)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            swept += sum(_end_alone(hold, failed) for hold in found)
        if swept + len(failed) == before:
            return swept


@transaction.atomic
def _end(holds: Sequence[Hold]) -> int:
    """Settle these holds but those that somebody has locked; return how many."""
    if not holds:
        return 0
    outcomes = settle_batch([_settlement(hold) for hold in holds], skip_locked=True)
    return sum(isinstance(outcome, Outcome) for outcome in outcomes)


def _end_alone(hold: Hold, failed: set[UUID]) -> int:
    try:
        return _end([hold])
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("hold %s can't be swept: %s", hold.pk, type(error).__name__)
        alarm("sweep failed", f"The hold {hold.pk} of a process that is gone can't be settled; its money stays held.")
        failed.add(hold.pk)
        return 0


def _find_abandoned() -> Any:
    now = rows.read_clock()
    alive = Heartbeat.objects.filter(beat_at__gt=now - timedelta(seconds=SILENT_SECONDS)).values("process")
    abandoned = Q(deadline_at__lt=now) | ~Q(process__in=alive)
    # A hold can be older than its process's first heartbeat by a moment.
    settled_in = now - timedelta(seconds=SILENT_SECONDS)
    return _open_holds().filter(abandoned, started_at__lt=settled_in)


def _open_holds() -> Any:
    holds = Hold.objects.filter(state=Hold.State.OPEN)
    return holds.select_related("key__organization", "price", "day", "month").order_by("pk")


def release_given_up(
    requests: Sequence[HoldRequest], *, skip_locked: bool = False, **_: bool
) -> list[Outcome | Deferred | None]:
    """Give back the holds of requests that were refused while their COMMIT was unknown; None for those without one."""
    busy = _find_busy({request.key.organization_id for request in requests}, skip_locked)
    ready = {request.id: request for request in requests if request.key.organization_id not in busy}
    settlements = [_release(hold, ready[hold.pk]) for hold in _open_holds().filter(pk__in=ready)]
    outcomes = settle_batch(settlements, skip_locked=skip_locked) if settlements else []
    by_id = dict(zip((settlement.id for settlement in settlements), outcomes, strict=True))
    return [by_id.get(request.id) if request.id in ready else DEFERRED for request in requests]


@transaction.atomic
def _find_busy(organizations: set[int], skip_locked: bool) -> set[int]:
    """Return those whose wallet somebody has locked: a COMMIT that holds from it may still be under way."""
    rows.set_guards()
    wallets = Limit.objects.filter(kind=Limit.Kind.WALLET, organization__in=organizations)
    owners = dict(wallets.values_list("pk", "organization"))
    locked = locks.lock_limits(owners, skip_locked=skip_locked)
    return {organization for id_, organization in owners.items() if id_ not in locked}


def _release(hold: Hold, request: HoldRequest) -> Settlement:
    built = _settlement(hold)
    return replace(
        built,
        admission=built.admission._replace(request=request),
        status=UsageRecord.Status.FAILED,
        http_status=503,
        count_source=UsageRecord.CountSource.ESTIMATE,
        error_code="ledger_unavailable",
        is_sweep=False,
    )


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
        tag=hold.tag,
    )
    limits = KeyLimits.of_hold(hold)
    return Admission(request, hold.process, limits, hold.amount_nanos, hold.output_limit, hold.started_at, {})
