"""Idempotency-Keys: a request that is asked again gets the first answer, and no second debit.

1. Admission looks the key up behind the lock on its wallet, so that equal requests take
   turns, also between processes; the row goes in with the hold, in one transaction.
2. The row ends with the hold, in the settle's transaction: a good answer is recorded;
   after anything else the row is gone, and the request may run anew.
3. What is recorded is forgotten after a day.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from billing import rows
from billing.budgets import KeyLimits
from billing.locks import Standings
from billing.models import IdempotentAnswer, UsageRecord

KEPT = timedelta(hours=24)
FORGET_BATCH = 100
"""Rows deleted in one transaction: with answers of 20 to 100 KB that takes SQLite 13 to 27 ms."""
State = IdempotentAnswer.State


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key as a request carries it; the digest tells its body from others."""

    name: str
    digest: bytes


class Conflict(StrEnum):
    """Why a request with an Idempotency-Key is neither run nor answered."""

    RUNNING = "running"
    MISMATCH = "mismatch"
    UNKEPT = "unkept"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer is there already: that of ``request``. ``standings`` and ``limits`` are as in an admission."""

    request: UUID
    standings: Standings
    limits: KeyLimits


@dataclass(frozen=True, slots=True)
class _Row:
    digest: bytes
    request: UUID
    state: str


class Claims:
    """The Idempotency-Keys of one batch: which are taken, by what is stored and by the batch itself."""

    def __init__(self, wanted: Collection[tuple[int, Claim]], now: datetime) -> None:
        """Read the rows of (API key id, claim) that are in force; without any this costs nothing."""
        self._now = now
        self._taken: dict[tuple[int, str], _Row] = _find_rows(wanted, now) if wanted else {}
        self._new: dict[UUID, tuple[object, ...]] = {}

    def find(self, key_id: int, claim: Claim) -> UUID | Conflict | None:
        """Return the request whose answer is recorded, what stands in the way, or None for a new claim."""
        row = self._taken.get((key_id, claim.name))
        if row is None:
            return None
        if row.digest != claim.digest:
            return Conflict.MISMATCH
        if row.state == State.RECORDED:
            return row.request
        return Conflict.UNKEPT if row.state == State.UNKEPT else Conflict.RUNNING

    def take(self, key_id: int, claim: Claim, request: UUID, *, stream: bool) -> None:
        """Let this request have the claim: it has been admitted."""
        self._taken[(key_id, claim.name)] = _Row(claim.digest, request, State.RUNNING)
        values = (key_id, claim.name, claim.digest, request, State.RUNNING.value, stream, None)
        self._new[request] = (*values, self._now, self._now + KEPT)

    @property
    def are_taken(self) -> bool:
        """Whether any of the batch's requests has taken one."""
        return bool(self._new)

    def write(self, inserted: Collection[UUID]) -> None:
        """Insert the rows of those requests whose holds were really inserted."""
        values = [self._new[request] for request in inserted if request in self._new]
        if not values:
            return
        marks, parameters = rows.values_list(values)
        # What is replaced has expired: whatever is in force was found behind the lock.
        changes = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[2:])
        rows.execute(
            f"INSERT INTO billing_idempotentanswer ({', '.join(COLUMNS)}) VALUES {marks} "
            f"ON CONFLICT (key_id, idempotency_key) DO UPDATE SET {changes}",
            parameters,
        )


COLUMNS = [
    "key_id",
    "idempotency_key",
    "body_digest",
    "request",
    "state",
    "stream",
    "answer",
    "created_at",
    "expires_at",
]


def _find_rows(wanted: Collection[tuple[int, Claim]], now: datetime) -> dict[tuple[int, str], _Row]:
    values, parameters = rows.values_list([(key_id, claim.name) for key_id, claim in wanted], ["bigint", "text"])
    found = rows.execute(
        f"WITH wanted (api_key, name) AS (VALUES {values}) "
        "SELECT key_id, idempotency_key, body_digest, request, state FROM billing_idempotentanswer "
        "JOIN wanted ON key_id = api_key AND idempotency_key = name WHERE expires_at > %s",
        [*parameters, rows.adapt(now)],
    )
    return {(row[0], row[1]): _Row(bytes(row[2]), rows.read_uuid(row[3]), row[4]) for row in found}


def end_claims(kept: Sequence[tuple[UUID, bytes | None]], dropped: Sequence[UUID], now: datetime) -> None:
    """End the rows of requests whose holds have ended: (request, its encrypted answer, None if too long), the rest."""
    if kept:
        ends = [(request, State.RECORDED if answer else State.UNKEPT, answer) for request, answer in kept]
        values, parameters = rows.values_list(ends, ["uuid", "text", "bytea"])
        rows.execute(
            f"WITH ended (request_id, new_state, kept) AS (VALUES {values}) "
            "UPDATE billing_idempotentanswer SET state = new_state, answer = kept, expires_at = %s "
            "FROM ended WHERE request = request_id AND state = 'running'",
            [*parameters, rows.adapt(now + KEPT)],
        )
    if dropped:
        rows.execute(
            f"DELETE FROM billing_idempotentanswer WHERE request IN ({rows.placeholders(dropped)})",
            [rows.adapt(request) for request in dropped],
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A recorded answer: still encrypted, and what it was charged, in nano-dollars."""

    answer: bytes
    stream: bool
    charge: int


def read_answer(request: UUID) -> Kept | None:
    """Return the recorded answer of a request; None where it is gone."""
    row = IdempotentAnswer.objects.filter(request=request, state=State.RECORDED).first()
    record = UsageRecord.objects.filter(pk=request).only("charge_nanos").first()
    return Kept(bytes(row.answer), row.stream, record.charge_nanos) if row and row.answer and record else None


def is_claimed(key_id: int, claim: Claim) -> bool:
    """Tell whether an Idempotency-Key is in use, by a request that runs or whose answer is kept."""
    rows_in_force = IdempotentAnswer.objects.filter(expires_at__gt=rows.read_clock())
    return rows_in_force.filter(key=key_id, idempotency_key=claim.name).exists()


def forget_answers() -> int:
    """Delete what has expired, in short transactions; return how many rows went."""
    forgotten = 0
    expired = IdempotentAnswer.objects.filter(expires_at__lte=rows.read_clock())
    while ids := list(expired.values_list("pk", flat=True)[:FORGET_BATCH]):
        # Still `expired`: a request may have taken over a row meanwhile.
        forgotten += expired.filter(pk__in=ids).delete()[0]
    return forgotten
