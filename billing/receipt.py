"""One usage record in words: who was asked, how it ended, and the price written out as a sum."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.models import UsageRecord

PER_TOKEN = Decimal(10) ** 12
"""Micro-dollars per 1M tokens, over this, are dollars per token."""

STATES = {"answered": "taken", "failed": "broken", "interrupted": "broken", "skipped": "waiting"}

REASONS = {
    "cooldown": "resting after failures",
    "credential_set_aside": "it refused this site's credential twice",
    "busy": "all its places were taken",
    "retry": "at the second try",
    "no_tools": "it takes no tools",
    "no_images": "it sees no images",
    "no_json_mode": "it has no JSON mode",
    "answer_too_long": "it can't answer at this length",
    "context_too_long": "the request is likely too long for it",
    "client": "the client left",
    "stall": "the client stopped reading",
    "first_byte": "no first byte in time",
    "idle": "silent in mid-answer",
    "deadline": "the answer took too long",
    "drain": "this server was restarting",
    "silent": "the ledger could not be reached",
    "revoked": "the key was revoked",
    "dns": "its name could not be resolved",
    "certificate": "its certificate is not valid",
    "connect": "could not connect",
    "proxy": "the proxy in front of it failed",
    "connect_timeout": "could not connect in time",
    "bad_address": "its address is not valid",
    "connection": "the connection failed",
    "disconnected": "it closed the connection",
    "read_timeout": "it fell silent",
    "timeout": "it took too long",
    "redirect": "it answered with a redirect",
    "no_route": "there was no route to try",
    "cut": "the answer broke off",
    "empty": "the answer was empty",
    "context_length": "the request is too long for it",
    "credential_refused": "it refused this site's credential",
    "credential_missing": "this site has no credential for it",
    "credential_unreadable": "this site can't read its credential",
    "no_balance": "this site's account there is empty",
    "no_permission": "this site's account there may not use it",
    "plan_ended": "this site's plan there has ended",
    "provider_overloaded": "it has too much to do",
    "wrong_address": "its address leads nowhere",
    "content_filter": "its content filter refused the request",
    "unsupported": "it does not take one of the parameters",
    "model_unknown": "it does not know the model",
    "rate_limited": "it takes no more requests at the moment",
    "refused": "it refused the request",
    "server_error": "it had an error",
    "not_json": "its answer was not JSON",
    "no_choices": "its answer held no choices",
    "not_an_object": "its answer was not an object",
    "answer_too_large": "its answer was too large",
    "no_content": "it sent much and said nothing",
    "address_not_allowed": "its address is not allowed on this site",
}

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
class Attempt:
    """A route that was considered: taken, skipped or failed, and why."""

    route: str
    outcome: str
    reason: str
    status: int | None
    ms: int | None
    provider_request_id: str

    @property
    def station(self) -> dict[str, str]:
        """Return the attempt for the picture of the request's path."""
        provider, _, upstream = self.route.partition(" · ")
        words = [upstream.partition(" · ")[0], f"{self.ms} ms" if self.ms is not None else self.outcome]
        return {"name": provider, "note": " · ".join(filter(None, words)), "state": self.state}

    @property
    def state(self) -> str:
        return STATES.get(self.outcome, "waiting")


def read_attempts(record: UsageRecord) -> list[Attempt]:
    """Return the attempts in order. What the provider said is left out: it is for administrators."""
    return [_read_attempt(row) for row in record.attempts if isinstance(row, dict)]


def _read_attempt(row: Mapping[str, object]) -> Attempt:
    reason, status, ms = str(row.get("reason") or ""), row.get("status"), row.get("ms")
    return Attempt(
        route=str(row.get("route") or ""),
        outcome=str(row.get("outcome") or ""),
        reason=REASONS.get(reason, reason.replace("_", " ")),
        status=status if isinstance(status, int) else None,
        ms=ms if isinstance(ms, int) else None,
        provider_request_id=str(row.get("provider_request_id") or ""),
    )


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
