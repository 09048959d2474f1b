"""Admission: sets aside the most a request can cost, or says which limit stands in the way.

A batch of requests is decided in one transaction:
1. windows that are missing are made, in a transaction of their own (``budgets.open_windows``);
2. all limits are locked in one statement;
3. Python admits in order of arrival, wallets taking turns;
4. the holds go in by one insert; what they add to the limits is summed from the rows
   that were really inserted, so that a batch whose COMMIT is unknown can be run again.

A request with an Idempotency-Key that was asked before is not held for: it gets what
``billing.idempotency`` finds behind the same lock.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from types import MappingProxyType
from uuid import UUID

from billing import budgets, locks, moves, rows
from billing.budgets import KeyLimits
from billing.idempotency import Claims, Conflict, Recorded
from billing.locks import HoldRow, LimitRow
from billing.models import Hold
from billing.requests import DEFERRED, Admission, Decision, HoldRequest, choose_output_limit, refuse, standings_of


class Admissions:
    """Admits batches for one gateway process; remembers the current windows of its keys."""

    def __init__(self, process: UUID) -> None:
        self._process = process
        self._limits: dict[int, KeyLimits] = {}

    def admit_batch(
        self, requests: Sequence[HoldRequest], *, is_replay: bool = False, skip_locked: bool = False
    ) -> list[Decision]:
        """Return a decision for each request, in their order, committed.

        ``is_replay``: this batch was run before and its COMMIT may have succeeded.
        """
        limits = self.find_limits(requests, skip_locked=skip_locked)
        try:
            return self._admit_batch(requests, limits, is_replay, skip_locked)
        except WindowOverError:
            self._limits.clear()
            limits = self.find_limits(requests, skip_locked=skip_locked)
            return self._admit_batch(requests, limits, is_replay, skip_locked)

    def find_limits(self, requests: Sequence[HoldRequest], *, skip_locked: bool = False) -> dict[UUID, KeyLimits]:
        """Return the current limits of each request; windows that are missing are made, in their own transaction."""
        missing = set()
        now = datetime.now(UTC)
        for request in requests:
            known = self._limits.get(request.key.id)
            if known is None or not known.are_current(now):
                self._limits.pop(request.key.id, None)
                missing.add(request.key.id)
        if missing:
            self._limits.update(budgets.open_windows(missing, skip_locked=skip_locked))
        return {request.id: self._limits[request.key.id] for request in requests if request.key.id in self._limits}

    def _admit_batch(
        self, requests: Sequence[HoldRequest], limits: dict[UUID, KeyLimits], is_replay: bool, skip_locked: bool
    ) -> list[Decision]:
        with rows.guarded_batch() as batch:
            return self._admit_in(batch, requests, limits, is_replay, skip_locked)

    def _admit_in(
        self,
        batch: rows.Batch,
        requests: Sequence[HoldRequest],
        limits: dict[UUID, KeyLimits],
        is_replay: bool,
        skip_locked: bool,
    ) -> list[Decision]:
        if is_replay:
            batch.open()
            limits |= _find_held_limits([request.id for request in requests])
        ids = {id_ for own in limits.values() for id_ in own.ids}
        if not ids:
            return [DEFERRED] * len(requests)
        queries = [locks.limits_query(ids, skip_locked)]
        if is_replay:
            queries.append(locks.holds_query([request.id for request in requests], skip_locked=False))
        (found, *held), now = batch.lock(queries)
        known = locks.read_holds(held[0]) if held else {}
        decisions, statements = self.decide_batch(requests, limits, locks.read_limits(found), now, known)
        batch.write(statements)
        return decisions

    def decide_batch(
        self,
        requests: Sequence[HoldRequest],
        limits: dict[UUID, KeyLimits],
        locked: dict[int, LimitRow],
        now: datetime,
        known: Mapping[UUID, HoldRow] = MappingProxyType({}),
    ) -> tuple[list[Decision], list[rows.Statement]]:
        """Decide behind the locks; return the decisions, and the statements that write them. Raises WindowOverError.

        ``known`` are the holds of these requests that are there already.
        """
        claims = Claims([(request.key.id, request.claim) for request in requests if request.claim], now)
        decisions: dict[UUID, Decision] = {}
        for request in _take_turns(requests):
            own_limits = limits.get(request.id)
            decisions[request.id] = self._decide(request, own_limits, locked, known.get(request.id), claims, now)
        admissions = [decision for decision in decisions.values() if isinstance(decision, Admission)]
        statements = self._insert(admissions, claims)
        return [decisions[request.id] for request in requests], statements

    def _decide(
        self,
        request: HoldRequest,
        limits: KeyLimits | None,
        locked: dict[int, LimitRow],
        known: HoldRow | None,
        claims: Claims,
        now: datetime,
    ) -> Decision:
        if limits is None:
            return DEFERRED
        if not known and not limits.are_current(now):
            raise WindowOverError
        if not all(id_ in locked for id_ in limits.ids):
            return DEFERRED
        own = [locked[id_] for id_ in limits.ids]
        if known and known.limit_ids != limits.ids:
            return DEFERRED  # its lost COMMIT came only now: the next turn finds the hold first
        if known:
            return self._admit(request, limits, known.amount, known.output_limit, own, now)
        if request.claim and (found := claims.find(request.key.id, request.claim)):
            return found if isinstance(found, Conflict) else Recorded(found, standings_of(own), limits)
        free = min(row.free for row in own if row.free is not None)
        output_limit = choose_output_limit(request, free)
        amount = request.cost(output_limit)
        if amount > free:
            return refuse(amount, own, limits)
        for row in own:
            row.held += amount
        if request.claim:
            claims.take(request.key.id, request.claim, request.id, stream=request.stream)
        return self._admit(request, limits, amount, output_limit, own, now)

    def _admit(
        self,
        request: HoldRequest,
        limits: KeyLimits,
        amount: int,
        output_limit: int,
        own: list[LimitRow],
        now: datetime,
    ) -> Admission:
        return Admission(request, self._process, limits, amount, output_limit, now, standings_of(own))

    def _insert(self, admissions: list[Admission], claims: Claims) -> list[rows.Statement]:
        """Insert the holds and return what adds them to their limits, or return what does both."""
        if not admissions:
            return []
        if rows.is_postgresql() and not claims.are_taken:
            return [moves.take_holds(HOLD_COLUMNS, [_hold_values(one, Hold.State.OPEN, None) for one in admissions])]
        inserted = insert_holds(admissions, Hold.State.OPEN)
        changes = locks.LimitChanges()
        for row in inserted:
            changes.add(row[1:4], held=row[4])
        claims.write([row[0] for row in inserted])
        return changes.statements()


def _find_held_limits(ids: Sequence[UUID]) -> dict[UUID, KeyLimits]:
    """Return the limits of those holds that are there: their windows may have ended since."""
    held = Hold.objects.select_related("day", "month").filter(pk__in=ids)
    return {hold.pk: KeyLimits.of_hold(hold) for hold in held}


class WindowOverError(Exception):
    """A window ended between finding it and locking it."""


HOLD_COLUMNS = [
    "id",
    "state",
    "organization_id",
    "key_id",
    "user_id",
    "wallet_id",
    "day_id",
    "month_id",
    "amount_nanos",
    "charged_nanos",
    "uncollected_nanos",
    "model",
    "price_id",
    "input_estimate",
    "output_limit",
    "stream",
    "client_request_id",
    "sdk_retry",
    "tag",
    "process",
    "started_at",
    "deadline_at",
    "ended_at",
    "checkpoint",
]


def insert_holds(
    admissions: Sequence[Admission], state: Hold.State, ended_at: datetime | None = None
) -> list[tuple[UUID, int, int, int, int]]:
    """Insert the holds that are not there yet; return id, limit ids and amount of the new ones."""
    values = [_hold_values(admission, state, ended_at) for admission in admissions]
    inserted = rows.insert(
        "billing_hold", HOLD_COLUMNS, values, returning="id, wallet_id, day_id, month_id, amount_nanos"
    )
    return [(rows.read_uuid(row[0]), *row[1:5]) for row in inserted]


def _hold_values(admission: Admission, state: Hold.State, ended_at: datetime | None) -> tuple[object, ...]:
    request, key = admission.request, admission.request.key
    return (
        request.id,
        state.value,
        key.organization_id,
        key.id,
        key.user_id,
        *admission.limits.ids,
        admission.amount,
        0,
        0,
        request.model,
        request.price.id,
        request.input_bound,
        admission.output_limit,
        request.stream,
        request.client_request_id,
        request.sdk_retry,
        request.tag,
        admission.process,
        admission.started_at,
        # Beyond the longest answer and its settle: whatever is still open then has leaked.
        admission.started_at + timedelta(seconds=request.seconds + 120),
        ended_at,
        None,
    )


def _take_turns(requests: Sequence[HoldRequest]) -> Iterator[HoldRequest]:
    """Yield the requests wallet by wallet in turns, so that one caller can't fill a batch for all."""
    queues: dict[int, list[HoldRequest]] = {}
    for request in requests:
        queues.setdefault(request.key.organization_id, []).append(request)
    return (request for request in chain.from_iterable(zip_longest(*queues.values())) if request is not None)
