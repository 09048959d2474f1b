"""One usage record in words: how it ended, who counted, and the price written out as a sum."""

from dataclasses import dataclass
from decimal import Decimal

from billing.models import UsageRecord

PER_TOKEN = Decimal(10) ** 12
"""Micro-dollars per 1M tokens, over this, are dollars per token."""

ENDINGS = {
    "completed": "The model finished its answer.",
    "client": "The client left before the end.",
    "upstream": "The provider failed.",
    "gateway": "This site had to stop the answer.",
    "limit": "A limit was reached, of output tokens or of time.",
}

SOURCES = {
    "provider": "counted by the provider",
    "estimate": "estimated from the text that was delivered: the provider gave no usable count",
    "checkpoint": "estimated from the last note before a crash of this site's server",
}


def explain_ending(record: UsageRecord) -> str:
    """Return how the request ended and, where it ended early, by which rule it is charged."""
    ending = ENDINGS.get(record.ended_by, "")
    if record.ended_by == UsageRecord.EndedBy.COMPLETED:
        return ending
    if record.status == UsageRecord.Status.COMPLETED and record.ended_by == UsageRecord.EndedBy.CLIENT:
        return "The client left; its Idempotency-Key let the answer be finished, and all of it is charged."
    if not record.charge_nanos and not record.uncollected_nanos:
        return f"{ending} Nothing is charged."
    if record.count_source == UsageRecord.CountSource.PROVIDER:
        return f"{ending} Charged are the tokens that the provider counted until then."
    return f"{ending} Charged is what had been delivered by then, and nothing after it."


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the sum: tokens × price (micro-dollars per 1M) = dollars, exact."""

    name: str
    tokens: int
    micros: int

    @property
    def dollars(self) -> Decimal:
        return Decimal(self.tokens * self.micros) / PER_TOKEN

    @property
    def text(self) -> str:
        whole, _, rest = f"{self.dollars:.12f}".rstrip("0").partition(".")
        return f"${whole}.{rest.ljust(2, '0')}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The price of a record as a sum; ``full_nanos`` is its result, rounded up to a whole nano-dollar."""

    terms: list[Term]
    full_nanos: int
    given_back_nanos: int

    @property
    def is_rounded(self) -> bool:
        return sum((term.dollars for term in self.terms), Decimal()) * 10**9 != self.full_nanos


def write_receipt(record: UsageRecord) -> Receipt:
    price = record.price
    terms = [
        Term("input", record.input_tokens - record.cached_tokens, price.input_micros),
        Term("cached input", record.cached_tokens, price.cached_micros),
        Term("output", record.output_tokens, price.output_micros),
    ]
    return Receipt(
        terms=[term for term in terms if term.tokens or term.name != "cached input"],
        full_nanos=record.charge_nanos + record.uncollected_nanos,
        given_back_nanos=max(0, record.held_nanos - record.charge_nanos),
    )
