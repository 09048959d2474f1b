"""What each way of failing to call an upstream means: whether it may have got the request, who must mend it."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from routing.dialects.faults import REST_SECONDS, UpstreamFault

SECONDS = re.compile(r"\d{1,6}(\.\d{1,6})?")

# In order: the first class that fits. (class, reason, code, the provider may have got the request)
FAILURES: list[tuple[type[BaseException], str, str, bool]] = [
    (aiohttp.ClientConnectorDNSError, "dns", "upstream_error", False),
    (aiohttp.ClientConnectorCertificateError, "certificate", "upstream_error", False),
    (aiohttp.ClientProxyConnectionError, "proxy", "upstream_error", False),
    (aiohttp.ClientConnectorError, "connect", "upstream_error", False),
    (aiohttp.ClientHttpProxyError, "proxy", "upstream_error", False),
    (aiohttp.ConnectionTimeoutError, "connect_timeout", "upstream_timeout", False),
    (aiohttp.SocketTimeoutError, "read_timeout", "upstream_timeout", True),
    (aiohttp.ServerTimeoutError, "read_timeout", "upstream_timeout", True),
    (aiohttp.InvalidURL, "bad_address", "upstream_error", False),
    (aiohttp.ServerDisconnectedError, "disconnected", "upstream_error", True),
    (aiohttp.ClientPayloadError, "cut", "upstream_error", True),
    (aiohttp.ClientError, "connection", "upstream_error", True),
    (ConnectionError, "connection", "upstream_error", True),
    (TimeoutError, "timeout", "upstream_timeout", True),
]


class AddressRefusedError(OSError):
    """A host lies only where upstreams may not lie."""


def classify(error: BaseException) -> UpstreamFault:
    """Return what an exception of the client means."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefusedError):
        return operators_fault("address_not_allowed")
    for class_, reason, code, was_sent in FAILURES:
        if isinstance(error, class_):
            return UpstreamFault(code, reason, was_sent=was_sent, may_retry=not was_sent, rest_seconds=REST_SECONDS)
    return UpstreamFault("upstream_error", type(error).__name__[:40], rest_seconds=REST_SECONDS)


def operators_fault(reason: str) -> UpstreamFault:
    """Return the fault of a request that can't be sent as things are set up: no other process need be the same."""
    return UpstreamFault("upstream_error", reason, was_sent=False, tells_admin=True)


def read_retry_after(value: str) -> int | None:
    """Return the seconds that a Retry-After asks for, by their number or as a date; None for anything else."""
    if SECONDS.fullmatch(value):
        return math.ceil(float(value))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return math.ceil(max(0.0, seconds))
