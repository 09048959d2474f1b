"""Settling: charges what a request used, gives the rest of its hold back, writes its record.

By the state in which the hold is found, under the locks:
- open: charged min(actual, held + what its limits still have free), settled or released;
  a budget that was lowered meanwhile still covers what was held in it;
- settled or released: this settle ran before: the same figures back, nothing moves;
- expired: the sweeper was first: one adjustment for the difference;
- missing: the database lost it: inserted as settled and charged what is free; but where
  its record is there it ended long ago and was forgotten: the record's figures back.

Every sum comes from the rows that a statement moved, so that a batch whose COMMIT
is unknown can be run again. A claimed Idempotency-Key ends with its hold.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from billing import idempotency, locks, moves, rollups, rows
from billing.holds import insert_holds
from billing.locks import HoldRow, LimitRow, Standings
from billing.models import Hold, LedgerEntry, Limit, UsageRecord
from billing.records import ENTRY_COLUMNS, RECORD_COLUMNS, entry_values, record_values
from billing.requests import DEFERRED, Deferred
from billing.settlements import Outcome, Settlement

State = Hold.State

logger = logging.getLogger(__name__)


def settle_batch(
    settlements: Sequence[Settlement], *, is_replay: bool = False, skip_locked: bool = False
) -> list[Outcome | Deferred]:
    """Return the outcome of each settlement, in their order, committed."""
    with rows.guarded_batch() as transaction:
        ready, limits, holds, now = _lock(transaction, settlements, skip_locked)
        outcomes, statements = decide_batch(ready, limits, holds, now)
        transaction.write(statements)
    log_uncollected(outcomes)
    return [outcomes.get(settlement.id, DEFERRED) for settlement in settlements]


def log_uncollected(outcomes: Mapping[UUID, Outcome]) -> None:
    """Log what the operator bears of these requests, by their ids."""
    for id_, outcome in outcomes.items():
        if outcome.uncollected:
            logger.error("uncollected: request %s, %d nano-dollars", id_, outcome.uncollected)


def decide_batch(
    settlements: Sequence[Settlement], limits: dict[int, LimitRow], holds: dict[UUID, HoldRow], now: datetime
) -> tuple[dict[UUID, Outcome], list[rows.Statement]]:
    """Decide behind the locks; return each settlement's outcome, and the statements that are to be the last."""
    recorded = _find_records([s.id for s in settlements if s.id not in holds])
    batch = _Batch(limits, recorded, now)
    outcomes = {settlement.id: batch.decide(settlement, holds.get(settlement.id)) for settlement in settlements}
    return outcomes, batch.write()


def _lock(
    transaction: rows.Batch, settlements: Sequence[Settlement], skip_locked: bool
) -> tuple[Sequence[Settlement], dict[int, LimitRow], dict[UUID, HoldRow], datetime]:
    """Lock limits, then holds; return the settlements that can be settled now, what is locked, and the time."""
    ids = {id_ for settlement in settlements for id_ in settlement.admission.limits.ids}
    limits_query = locks.limits_query(ids, skip_locked)
    if not skip_locked:
        holds_query = locks.holds_query([s.id for s in settlements], skip_locked)
        (limits, holds), now = transaction.lock([limits_query, holds_query])
        return settlements, locks.read_limits(limits), locks.read_holds(holds), now
    [found], _ = transaction.lock([limits_query])
    free = locks.read_limits(found)
    ready = [s for s in settlements if all(id_ in free for id_ in s.admission.limits.ids)]
    own = locks.lock_holds([s.id for s in ready], skip_locked=True)
    busy = locks.find_locked([s.id for s in ready], own)
    return [s for s in ready if s.id not in busy], free, own, rows.read_clock()


def _find_records(ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Return charge and uncollected of those requests that have a record."""
    if not ids:
        return {}
    found = UsageRecord.objects.filter(pk__in=ids).values_list("pk", "charge_nanos", "uncollected_nanos")
    return {id_: (charge, uncollected) for id_, charge, uncollected in found}


class _Batch:
    """One transaction's settlements: decided one by one, then written together."""

    def __init__(self, limits: dict[int, LimitRow], recorded: dict[UUID, tuple[int, int]], now: datetime) -> None:
        self.limits = limits
        self.recorded = recorded
        self.now = now
        self.ending: dict[UUID, tuple[Settlement, Outcome]] = {}
        self.missing: dict[UUID, tuple[Settlement, Outcome]] = {}
        self.late: list[tuple[Settlement, HoldRow, int]] = []

    def decide(self, settlement: Settlement, hold: HoldRow | None) -> Outcome:
        if hold is None and settlement.id in self.recorded:
            return Outcome(*self.recorded[settlement.id], self._standings(settlement))
        if hold is None:
            return self._charge(settlement, 0, self.missing)
        if hold.state == State.OPEN:
            return self._charge(settlement, hold.amount, self.ending)
        if hold.state == State.EXPIRED and not settlement.is_sweep:
            return self._adjust(settlement, hold)
        return Outcome(hold.charged, hold.uncollected, self._standings(settlement))

    def _charge(self, settlement: Settlement, held: int, group: dict[UUID, tuple[Settlement, Outcome]]) -> Outcome:
        own = self._own(settlement)
        for row in own:
            row.held -= held
        charge = min(settlement.actual, self._free(own, held))
        for row in own:
            row.spent += charge
        outcome = Outcome(charge, settlement.actual - charge, self._standings(settlement))
        group[settlement.id] = (settlement, outcome)
        return outcome

    def _adjust(self, settlement: Settlement, hold: HoldRow) -> Outcome:
        own = self._own(settlement)
        more = min(settlement.actual - hold.charged, self._free(own))
        for row in own:
            row.spent += more
        self.late.append((settlement, hold, more))
        charge = hold.charged + more
        return Outcome(charge, settlement.actual - charge, self._standings(settlement))

    def _own(self, settlement: Settlement) -> list[LimitRow]:
        return [self.limits[id_] for id_ in settlement.admission.limits.ids]

    def _standings(self, settlement: Settlement) -> Standings:
        return {row.kind: row.standing for row in self._own(settlement)}

    def _free(self, own: list[LimitRow], held: int = 0) -> int:
        """Return what may be charged: never below 0, so that only people make a limit negative.

        A budget that was lowered meanwhile still covers what the request held in it: else
        whoever lowers it while an answer runs would get the answer for nothing.
        """
        covered = [
            row.free if row.kind == Limit.Kind.WALLET else max(row.free, held) for row in own if row.free is not None
        ]
        return max(0, min(covered))

    def write(self) -> list[rows.Statement]:
        """Write what was decided; return the statements that are to be the last."""
        if rows.is_postgresql() and self._is_plain:
            return self._write_at_once()
        changes = locks.LimitChanges()
        settled = self._end_holds(changes) + self._insert_missing(changes)
        self._end_claims([settlement for settlement, _ in settled])
        for settlement, hold, more in self.late:
            self._write_adjustment(settlement, hold, more, changes)
        return [*self._inserts(settled), *changes.statements()]

    @property
    def _is_plain(self) -> bool:
        """Whether all that happens is that open holds end, none of them with an Idempotency-Key."""
        may_be_claimed = any(one.is_sweep or one.admission.request.claim for one, _ in self.ending.values())
        return not (self.missing or self.late or may_be_claimed)

    def _write_at_once(self) -> list[rows.Statement]:
        if not self.ending:
            return []
        ends = self._ends()
        return [moves.end_holds(ends, *self._values(list(self.ending.values())), self.now)]

    def _ends(self) -> list[tuple[object, ...]]:
        """Return id, new state, charge and uncollected of the holds that end."""
        return [(id_, _end_state(*pair), pair[1].charge, pair[1].uncollected) for id_, pair in self.ending.items()]

    def _end_holds(self, changes: locks.LimitChanges) -> list[tuple[Settlement, Outcome]]:
        if not self.ending:
            return []
        source, parameters = rows.table(
            {"hold_id": "uuid", "new_state": "text", "charge": "bigint", "lost": "bigint"},
            self._ends(),
        )
        moved = rows.execute(
            f"WITH ending (hold_id, new_state, charge, lost) AS ({source}) "
            "UPDATE billing_hold SET state = new_state, charged_nanos = charge, uncollected_nanos = lost, "
            "ended_at = %s FROM ending WHERE id = hold_id AND state = 'open' "
            "RETURNING id, wallet_id, day_id, month_id, amount_nanos, charged_nanos",
            [*parameters, rows.adapt(self.now)],
        )
        for row in moved:
            changes.add(row[1:4], held=-row[4], spent=row[5])
        return [self.ending[rows.read_uuid(row[0])] for row in moved]

    def _insert_missing(self, changes: locks.LimitChanges) -> list[tuple[Settlement, Outcome]]:
        pairs = [(s.admission._replace(amount=0), outcome) for s, outcome in self.missing.values()]
        inserted = insert_holds([admission for admission, _ in pairs], State.SETTLED, self.now)
        settled = [self.missing[row[0]] for row in inserted]
        for settlement, outcome in settled:
            changes.add(settlement.admission.limits.ids, spent=outcome.charge)
            Hold.objects.filter(pk=settlement.id).update(
                charged_nanos=outcome.charge, uncollected_nanos=outcome.uncollected
            )
        return settled

    def _inserts(self, settled: list[tuple[Settlement, Outcome]]) -> list[rows.Statement]:
        """Return what inserts the entries of those that were charged, and the record of each."""
        entries, records = self._values(settled)
        groups = [("billing_ledgerentry", ENTRY_COLUMNS, entries), ("billing_usagerecord", RECORD_COLUMNS, records)]
        return [rows.insert_statement(*group) for group in groups if group[2]]

    def _values(self, settled: list[tuple[Settlement, Outcome]]) -> tuple[moves.Values, moves.Values]:
        """Return the rows of the entries of those that were charged, and the record of each."""
        kind, now = LedgerEntry.Kind.CHARGE.value, self.now
        entries = [entry_values(one, kind, -outcome.charge, now) for one, outcome in settled if outcome.charge]
        return entries, [record_values(one, outcome, now) for one, outcome in settled]

    def _end_claims(self, ended: list[Settlement]) -> None:
        # A hold that is swept does not say whether it had a claim.
        claimed = [settlement for settlement in ended if settlement.is_sweep or settlement.admission.request.claim]
        idempotency.end_claims(
            kept=[(settlement.id, settlement.answer) for settlement in claimed if settlement.is_good],
            dropped=[settlement.id for settlement in claimed if not settlement.is_good],
            now=self.now,
        )

    def _write_adjustment(self, settlement: Settlement, hold: HoldRow, more: int, changes: locks.LimitChanges) -> None:
        """Correct what the sweeper charged from a checkpoint, once."""
        charge, lost = hold.charged + more, settlement.actual - hold.charged - more
        moved = Hold.objects.filter(pk=hold.id, state=State.EXPIRED).update(
            state=State.SETTLED, charged_nanos=charge, uncollected_nanos=lost
        )
        if not moved:
            return
        if more:
            kind = LedgerEntry.Kind.ADJUSTMENT.value
            rows.insert("billing_ledgerentry", ENTRY_COLUMNS, [entry_values(settlement, kind, -more, self.now)])
            changes.add(settlement.admission.limits.ids, spent=more)
        counts = settlement.tokens
        record = UsageRecord.objects.filter(pk=hold.id)
        record.update(
            charge_nanos=charge,
            uncollected_nanos=lost,
            input_tokens=counts.input,
            cached_tokens=counts.cached,
            output_tokens=counts.output,
            reasoning_tokens=counts.reasoning,
            count_source=settlement.count_source,
            ended_by=settlement.ended_by,
            status=settlement.status,
            http_status=settlement.http_status,
            error_code=settlement.error_code,
            finish_reason=settlement.finish_reason,
            provider=settlement.provider,
            upstream=settlement.upstream,
            upstream_model=settlement.upstream_model,
            provider_request_id=settlement.provider_request_id,
            demo=settlement.demo,
            attempts=settlement.attempts,
            first_token_ms=settlement.first_token_ms,
            total_ms=settlement.total_ms,
            cost=settlement.cost,
            cost_currency=settlement.cost_currency,
            cost_nanos=settlement.cost_nanos,
        )
        for created_at in record.values_list("created_at", flat=True):
            rollups.note_correction(created_at)


def _end_state(settlement: Settlement, outcome: Outcome) -> str:
    if settlement.is_sweep:
        return State.EXPIRED.value
    return State.SETTLED.value if outcome.charge or outcome.uncollected else State.RELEASED.value
