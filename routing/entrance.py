"""What every request for an answer passes first, whoever asks: a client of `/v1` or a page of the Playground."""

import logging
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError

from accounts.keys import KeyRecord
from accounts.ratelimit import RateState
from routing.errors import GatewayError
from routing.runtime import Runtime, get_runtime

logger = logging.getLogger(__name__)

OWN_WORDS = {
    "invalid_api_key",
    "organization_closed",
    "address_not_allowed",
    "insufficient_quota",
    "budget_exceeded",
    "rate_limit_exceeded",
    "model_not_served",
    "model_not_allowed",
}
"""Errors whose message never quotes a request, so that it may be kept."""
PARAMETER = re.compile(r"[a-z][a-z0-9_.\[\]]{0,63}")


def open_runtime() -> Runtime:
    """Return this process's services. Raises GatewayError where it takes no more requests."""
    runtime = get_runtime()
    if runtime is None or runtime.is_draining:
        raise GatewayError("shutting_down", retry_after=2)
    if len(runtime.journeys) >= settings.OPEN_REQUESTS:
        raise GatewayError("overloaded", retry_after=1)
    return runtime


def check_sight(runtime: Runtime) -> None:
    """Raise GatewayError while nobody can tell whether keys and prices have changed."""
    if runtime.watch.is_blind:
        raise GatewayError("ledger_unavailable", retry_after=2)


def check_key(key: KeyRecord, address: str) -> None:
    """Raise GatewayError for a key that may not be used now, or not from this address."""
    if key.is_revoked:
        raise GatewayError("invalid_api_key", "This API key was revoked. Make a new one in the console.")
    if key.expires_at and key.expires_at <= datetime.now(UTC):
        if key.is_replaced:
            raise GatewayError("invalid_api_key", "This secret was replaced: use the key's new one.")
        raise GatewayError("invalid_api_key", "This API key has expired. Make a new one in the console.")
    if key.is_closed:
        raise GatewayError("organization_closed")
    if not key.allows_address(address):
        raise GatewayError("address_not_allowed", f"This key may not be used from {address}.")


def check_rate(rate: RateState | None) -> None:
    """Raise GatewayError for a request above the key's limit; ``rate`` is None for a key without one."""
    if rate and not rate.is_allowed:
        raise GatewayError(
            "rate_limit_exceeded",
            f"This key may make {rate.limit} requests a minute.",
            details={
                "limit_source": "requests_per_minute",
                "resets_in_seconds": round(rate.reset_seconds, 1),
                "resets_at": (datetime.now(UTC) + timedelta(seconds=rate.reset_seconds)).isoformat(timespec="seconds"),
            },
            retry_after=int(rate.reset_seconds) + 1,
        )


class CountedRefusals:
    """Counts for the key what is refused within; what is our own fault is no refusal."""

    __slots__ = ("_key", "_request_id", "_runtime")

    def __init__(self, runtime: Runtime, key: KeyRecord, request_id: UUID) -> None:
        self._runtime, self._key, self._request_id = runtime, key, request_id

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, GatewayError) and error.status < 500:
            param = error.param if error.param and PARAMETER.fullmatch(error.param) else ""
            reason = error.message if error.code in OWN_WORDS else error.kind.message
            self._runtime.refusals.add(self._key, error.code, request=self._request_id, param=param, reason=reason)


def explain(error: Exception) -> GatewayError:
    """Return what the client is told, whatever broke; what is no answer of ours is logged."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, DatabaseError):
        logger.error("database on a request's way: %s", type(error).__name__)
        return GatewayError("ledger_unavailable", retry_after=2)
    logger.error("unexpected on a request's way: %s", type(error).__name__, exc_info=error)
    return GatewayError("internal_error")
