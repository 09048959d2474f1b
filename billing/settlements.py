"""How a request ended, as the ledger is told it, and what its settle came to."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from billing import money
from billing.locks import Standings
from billing.models import UsageRecord
from billing.requests import Admission

MAX_TOKENS = 10**9


class Tokens(NamedTuple):
    """Counts of a request; ``cached`` are part of ``input``, ``reasoning`` of ``output``."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @classmethod
    def clamped(cls, input: object, cached: object, output: object, reasoning: object) -> "Tokens":
        """Return counts as a provider reported them, forced into 0…10⁹ and into each other."""
        into, out = _clamp(input), _clamp(output)
        return cls(into, min(_clamp(cached), into), out, min(_clamp(reasoning), out))


def _clamp(count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int):
        return 0
    return max(0, min(count, MAX_TOKENS))


@dataclass(slots=True)
class Settlement:
    """How a request ended: what its record says beside the money."""

    admission: Admission
    tokens: Tokens
    status: str
    http_status: int
    ended_by: str
    count_source: str
    total_ms: int
    error_code: str = ""
    finish_reason: str = ""
    provider: str = ""
    upstream: str = ""
    upstream_model: str = ""
    provider_request_id: str = ""
    demo: bool = False
    first_token_ms: int | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    cost: Decimal | None = None
    cost_currency: str = ""
    cost_nanos: int | None = None
    is_sweep: bool = False
    answer: bytes | None = None
    """What an Idempotency-Key keeps, encrypted; None where it is too long."""

    @property
    def id(self) -> UUID:
        return self.admission.request.id

    @property
    def actual(self) -> int:
        """What the tokens cost, in nano-dollars."""
        counts = self.tokens
        return money.charge(counts.input, counts.cached, counts.output, self.admission.request.price.micros)

    @property
    def is_good(self) -> bool:
        """Whether the request got a whole answer."""
        return self.status == UsageRecord.Status.COMPLETED and self.http_status == 200

    def money_only(self) -> "Settlement":
        """Return the same without anything that came from outside but the counts."""
        return replace(
            self,
            error_code="",
            finish_reason="",
            upstream_model="",
            provider_request_id="",
            attempts=[],
            first_token_ms=None,
            cost=None,
            cost_currency="",
            cost_nanos=None,
            answer=None,
        )


class Outcome(NamedTuple):
    """What a settle came to, in nano-dollars."""

    charge: int
    uncollected: int
    standings: Standings
