"""Every error a client of `/v1` may see: one list, in OpenAI's shape.

``ERRORS`` is what the docs print and what a test compares with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MAX_RETRY_AFTER = 60
"""OpenAI's npm client sleeps exactly as long as it is told, so it is never told more."""


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One code: its HTTP status, OpenAI's ``type``, the text where nothing better is known, and the cure.

    ``may_retry``: the same request may succeed later, so SDKs are told to try again.
    """

    status: int
    type: str
    message: str
    cure: str
    may_retry: bool = False


BAD = "invalid_request_error"
ERRORS: dict[str, ErrorKind] = {
    "invalid_request": ErrorKind(400, BAD, "The request is not valid.", "Correct what the message names."),
    "context_length_exceeded": ErrorKind(
        400, BAD, "The messages are longer than this model's context.", "Send less, or take a model with more context."
    ),
    "content_filter": ErrorKind(
        400, BAD, "The provider's content filter refused this request.", "Change the text, or take another model."
    ),
    "unsupported_parameter": ErrorKind(
        400, BAD, "A parameter is not supported here.", "Leave out the parameter that `param` names."
    ),
    "invalid_api_key": ErrorKind(
        401, "authentication_error", "This API key is not valid.", "Check the key, or make a new one in the console."
    ),
    "insufficient_quota": ErrorKind(
        402, "insufficient_quota", "The wallet can't cover this request.", "Top up, or ask for fewer output tokens."
    ),
    "budget_exceeded": ErrorKind(
        402, "insufficient_quota", "The key's budget can't cover this request.", "Wait for the reset, or raise it."
    ),
    "model_not_allowed": ErrorKind(
        403, "permission_error", "This key may not use that model's family.", "Use another key, or edit its families."
    ),
    "address_not_allowed": ErrorKind(
        403, "permission_error", "This key may not be used from your address.", "Edit the key's allowed addresses."
    ),
    "organization_closed": ErrorKind(
        403, "permission_error", "The account of this key is closed.", "Ask the operator of this site."
    ),
    "https_required": ErrorKind(
        403, "permission_error", "Use https: over http the key can be read on its way.", "Use the https address."
    ),
    "model_not_found": ErrorKind(404, BAD, "There is no such model.", "Take an id from GET /v1/models."),
    "model_not_served": ErrorKind(
        404, BAD, "This site does not serve that model.", "Take an id from GET /v1/models, or ask the operator."
    ),
    "unknown_endpoint": ErrorKind(404, BAD, "There is no such endpoint.", "Use POST /v1/chat/completions."),
    "method_not_allowed": ErrorKind(405, BAD, "This endpoint has another method.", "Use the method that is named."),
    "body_timeout": ErrorKind(408, BAD, "The request body did not arrive in time.", "Send it again.", may_retry=True),
    "idempotency_conflict": ErrorKind(
        409, BAD, "The first request with this Idempotency-Key is still running.", "Try again shortly.", may_retry=True
    ),
    "request_too_large": ErrorKind(413, BAD, "The request body is too large.", "Send smaller or fewer images."),
    "idempotency_mismatch": ErrorKind(
        422, BAD, "This Idempotency-Key was used with another body.", "Use a new key for a new request."
    ),
    "rate_limit_exceeded": ErrorKind(
        429, "rate_limit_error", "This key has made too many requests.", "Wait as long as Retry-After says.", True
    ),
    "internal_error": ErrorKind(500, "api_error", "Something broke on our side.", "Try again.", may_retry=True),
    "upstream_error": ErrorKind(
        502, "api_error", "The model's provider could not answer.", "Try again, or take another model.", may_retry=True
    ),
    "no_healthy_route": ErrorKind(
        503, "api_error", "No route to this model is available now.", "Try again shortly.", may_retry=True
    ),
    "overloaded": ErrorKind(503, "api_error", "Too many requests at once.", "Try again shortly.", may_retry=True),
    "ledger_unavailable": ErrorKind(
        503, "api_error", "The ledger can't be reached; nothing was charged.", "Try again shortly.", may_retry=True
    ),
    "shutting_down": ErrorKind(
        503, "api_error", "This server is restarting.", "Try again: another one answers.", may_retry=True
    ),
    "upstream_timeout": ErrorKind(
        504, "api_error", "The model's provider took too long.", "Try again, or take another model.", may_retry=True
    ),
}


@dataclass(eq=False)
class GatewayError(Exception):
    """An answer that is an error. ``code`` is one of ERRORS; ``details`` go into the body's error object."""

    code: str
    message: str = ""
    param: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    retry_after: int | None = None
    may_retry: bool | None = None
    extra_headers: Sequence[tuple[bytes, bytes]] = ()

    @property
    def kind(self) -> ErrorKind:
        return ERRORS[self.code]

    @property
    def status(self) -> int:
        return self.kind.status

    @property
    def should_retry(self) -> bool:
        return self.kind.may_retry if self.may_retry is None else self.may_retry

    def body(self, request_id: str, docs_url: str) -> dict[str, Any]:
        """Return ``{"error": {…}}`` as OpenAI's clients read it."""
        return {
            "error": {
                "message": self.message or self.kind.message,
                "type": self.kind.type,
                "param": self.param,
                "code": self.code,
                **self.details,
                "request_id": request_id,
                "docs_url": f"{docs_url}#{self.code}",
            }
        }

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return what tells an SDK whether and when to try again."""
        if not self.should_retry:
            return [(b"x-should-retry", b"false")]
        seconds = max(1, min(self.retry_after or 1, MAX_RETRY_AFTER))
        return [(b"x-should-retry", b"true"), (b"retry-after", str(seconds).encode())]


def limit_details(
    *, source: str, limit_usd: str | None, spent_usd: str | None, resets_at: datetime | None
) -> dict[str, Any]:
    """Return the fields by which a refusal names its limit."""
    return {
        "limit_source": source,
        "limit_usd": limit_usd,
        "spent_usd": spent_usd,
        "resets_at": resets_at.isoformat() if resets_at else None,
    }
