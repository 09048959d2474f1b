"""How a journey can end: what its record says, what the client is told."""

from collections.abc import Collection
from typing import NamedTuple

import orjson
from django.conf import settings

from billing.models import UsageRecord
from routing.dialects.base import UpstreamFault
from routing.errors import GatewayError
from routing.explanations import explain_fault

Status, EndedBy = UsageRecord.Status, UsageRecord.EndedBy

CLIENT_CLOSED = 499
"""nginx's status for a client that left before the answer; no client ever sees it."""

INTERRUPTIONS: dict[str, tuple[str, str, str]] = {
    # reason: (ended_by, error code, message)
    "client": (EndedBy.CLIENT, "", ""),
    "stall": (EndedBy.CLIENT, "", ""),
    "deadline": (EndedBy.LIMIT, "upstream_timeout", "The answer took longer than this site allows."),
    "drain": (EndedBy.GATEWAY, "shutting_down", ""),
    "silent": (EndedBy.GATEWAY, "ledger_unavailable", "The ledger can't be reached; the answer was cut here."),
    "revoked": (EndedBy.GATEWAY, "invalid_api_key", "This API key was revoked while the answer was running."),
}


class Ending(NamedTuple):
    status: str
    http_status: int
    ended_by: str
    error: GatewayError | None = None
    is_stalled: bool = False

    @property
    def error_code(self) -> str:
        return self.error.code if self.error else ""

    @classmethod
    def completed(cls, finish_reason: str, *, has_left: bool, is_alone: bool = False) -> "Ending":
        """``is_alone``: the client has left, but its Idempotency-Key kept the answer going."""
        has_gone = has_left or is_alone
        ended_by = EndedBy.CLIENT if has_gone else EndedBy.LIMIT if finish_reason == "length" else EndedBy.COMPLETED
        return cls(Status.ABORTED if has_left else Status.COMPLETED, 200, ended_by)

    @classmethod
    def client_left(cls) -> "Ending":
        return cls(Status.ABORTED, CLIENT_CLOSED, EndedBy.CLIENT)

    @classmethod
    def interrupted(cls, reason: str) -> "Ending":
        ended_by, code, message = INTERRUPTIONS[reason]
        error = GatewayError(code, message) if code else None
        return cls(
            Status.ABORTED,
            error.status if error else CLIENT_CLOSED,
            ended_by,
            error,
            is_stalled=reason == "stall",
        )

    @classmethod
    def broken(cls) -> "Ending":
        """Return the end of a journey that failed by a fault of ours."""
        error = GatewayError("internal_error")
        return cls(Status.FAILED, error.status, EndedBy.GATEWAY, error)

    @classmethod
    def failed(cls, fault: UpstreamFault, *, parameters: Collection[str] = (), is_cut: bool = False) -> "Ending":
        """``parameters`` are the names in the client's body: a refusal names the one that it is about.

        ``is_cut``: a part of the answer was delivered.
        """
        text, param = explain_fault(fault, parameters)
        if is_cut and fault.code == "upstream_error":
            text = "The answer broke off at the model's provider; what came of it is delivered and charged."
        # What a person must mend, such as an empty account, no client should wait for by the provider's clock.
        wait = None if fault.tells_admin else fault.retry_after
        error = GatewayError(fault.code, text, param, retry_after=wait)
        return cls(Status.FAILED, error.status, EndedBy.UPSTREAM, error)

    def error_event(self, request_id: str) -> bytes:
        """Return the data of the typed error that ends a stream; it carries the status the head couldn't."""
        assert self.error
        body = self.error.body(request_id, f"{settings.SMARTOKEN_URL}/docs/errors/")
        body["error"]["status"] = self.error.status
        return orjson.dumps(body)
