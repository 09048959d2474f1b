"""What a request asks of the ledger, and what it is answered: an open hold, or the limit that stands in the way."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from accounts.keys import KeyRecord
from billing import money
from billing.budgets import KeyLimits
from billing.idempotency import Claim, Conflict, Recorded
from billing.locks import LimitRow, Standings
from billing.models import Limit

MIN_DEFAULT_OUTPUT = 2048
"""A request without a limit of its own is refused rather than given less than this."""


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """A price row in memory: micro-dollars per 1M input, cached and output tokens."""

    id: int
    micros: tuple[int, int, int]


@dataclass(slots=True)
class HoldRequest:
    """What a request may cost at the most.

    ``input_bound`` is the most input tokens it can be; ``output_limit`` what the client
    asked for, per choice, None if it named none; ``default_output`` is taken then.
    ``longest_output`` is what an answer may have whatever its limit says, 0 where it keeps to it.
    """

    id: UUID
    key: KeyRecord
    model: str
    price: PriceRecord
    input_bound: int
    output_limit: int | None
    default_output: int
    longest_output: int = 0
    choices: int = 1
    may_lower: bool = False
    stream: bool = False
    client_request_id: str = ""
    sdk_retry: int = 0
    tag: str = ""
    seconds: float = 1800.0
    claim: Claim | None = None
    asked_at: float = field(default_factory=time.monotonic)

    def cost(self, output_limit: int) -> int:
        most = max(output_limit, self.longest_output)
        return money.charge(self.input_bound, 0, most * self.choices, self.price.micros)

    def affordable_output(self, nanos: int) -> int:
        """Return the largest output limit whose cost is at most this."""
        input_price, _, output_price = self.price.micros
        left = nanos * 1000 - self.input_bound * input_price
        if left < 0:
            return 0
        return left // (output_price * self.choices) if output_price else 2**31


class Admission(NamedTuple):
    """An open hold, as the request's journey carries it to its end."""

    request: HoldRequest
    process: UUID
    limits: KeyLimits
    amount: int
    output_limit: int
    started_at: datetime
    standings: Standings
    """How its limits stand behind this hold."""

    @property
    def is_lowered(self) -> bool:
        return self.output_limit < (self.request.output_limit or self.request.default_output)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not admitted; ``is_passing`` when only open holds stand in the way."""

    kind: str
    limit: int
    spent: int
    held: int
    resets_at: datetime | None
    is_passing: bool
    standings: Standings
    limits: KeyLimits


class Deferred:
    """The limits are locked by somebody else: to be tried again, without making others wait."""


DEFERRED = Deferred()
Decision = Admission | Refusal | Recorded | Conflict | Deferred


def standings_of(own: list[LimitRow]) -> Standings:
    return {row.kind: row.standing for row in own}


def choose_output_limit(request: HoldRequest, free: int) -> int:
    """Return the output limit to hold for, whether or not it fits.

    A client's own limit is lowered only if it asked for that. The default is taken
    down to what half of the free money buys, but not below MIN_DEFAULT_OUTPUT. Where an
    answer does not keep to its limit, a lower one would hold no less.
    """
    if request.longest_output:
        return request.output_limit or request.default_output
    if request.output_limit is not None:
        if request.may_lower and request.cost(request.output_limit) > free:
            return max(1, min(request.output_limit, request.affordable_output(free)))
        return request.output_limit
    default = request.default_output
    if request.cost(default) <= free // 2:
        return default
    return min(default, max(request.affordable_output(free // 2), MIN_DEFAULT_OUTPUT))


def refuse(amount: int, own: list[LimitRow], limits: KeyLimits) -> Refusal:
    # A limit that is truly spent stands in the way for longer than one that open holds fill.
    spent = [row for row in own if row.limit is not None and row.limit - row.spent < amount]
    tightest = min(spent or (row for row in own if row.limit is not None), key=lambda row: row.free or 0)
    assert tightest.limit is not None
    ends = {Limit.Kind.KEY_DAY.value: limits.day_ends_at, Limit.Kind.KEY_MONTH.value: limits.month_ends_at}
    return Refusal(
        kind=tightest.kind,
        limit=tightest.limit,
        spent=tightest.spent,
        held=tightest.held,
        resets_at=ends.get(tightest.kind),
        is_passing=not spent,
        standings=standings_of(own),
        limits=limits,
    )
