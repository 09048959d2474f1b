"""What an exception of the transport means: whether the provider may have got the request."""

import aiohttp
import httpx
import pytest
from aiohttp.http_exceptions import TransferEncodingError

from routing.upstream import classify


def raised(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason", "was_sent"),
    [
        (raised(httpx.ConnectTimeout(""), aiohttp.ConnectionTimeoutError()), "connect_timeout", False),
        (raised(httpx.ConnectTimeout(""), aiohttp.ServerDisconnectedError()), "disconnected", True),
        (raised(httpx.ReadError(""), aiohttp.ClientPayloadError()), "cut", True),
        (raised(aiohttp.ClientPayloadError(), TransferEncodingError("cut")), "cut", True),
        (ConnectionResetError(), "connection", True),
    ],
)
def test_the_cause_says_what_happened(error, reason, was_sent):
    fault = classify(error)
    assert (fault.reason, fault.was_sent) == (reason, was_sent)
