"""The routes that a request was led to, in order: which were taken, skipped or failed, and why, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from billing.models import UsageRecord

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
    "spliced": "its stream was broken and joined again",
    "nesting": "it was nested too deeply",
    "no_choices": "its answer held no choices",
    "not_an_object": "its answer was not an object",
    "answer_too_large": "its answer was too large",
    "no_content": "it sent much and said nothing",
    "address_not_allowed": "its address is not allowed on this site",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A route that was considered: taken, skipped or failed, and why; it was asked ``at_ms`` after the beginning."""

    route: str
    outcome: str
    reason: str
    status: int | None
    at_ms: int | None
    ms: int | None
    provider_request_id: str
    is_retry: bool = False

    @property
    def station(self) -> dict[str, str]:
        """Return the attempt for the picture of the request's path."""
        provider, _, upstream = self.route.partition(" · ")
        figure = self.outcome if self.ms is None else f"{self.ms:,} ms"
        return {"name": provider, "note": upstream.partition(" · ")[0], "figure": figure, "state": self.state}

    @property
    def state(self) -> str:
        return STATES.get(self.outcome, "waiting")


def read_attempts(record: UsageRecord) -> list[Attempt]:
    """Return the attempts in order. What the provider said is left out: it is for administrators."""
    return [_read_attempt(row) for row in record.attempts if isinstance(row, dict)]


def _read_attempt(row: Mapping[str, object]) -> Attempt:
    reason, status = str(row.get("reason") or ""), row.get("status")
    at_ms, ms = row.get("at_ms"), row.get("ms")
    return Attempt(
        route=str(row.get("route") or ""),
        outcome=str(row.get("outcome") or ""),
        reason=REASONS.get(reason, reason.replace("_", " ")),
        status=status if isinstance(status, int) else None,
        at_ms=at_ms if isinstance(at_ms, int) else None,
        ms=ms if isinstance(ms, int) else None,
        provider_request_id=str(row.get("provider_request_id") or ""),
        is_retry=bool(row.get("is_retry")),
    )
