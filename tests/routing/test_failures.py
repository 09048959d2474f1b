"""What an exception of the client means: whether the provider may have got the request."""

import aiohttp
import pytest

from routing.upstream import classify


@pytest.mark.parametrize(
    ("error", "reason", "was_sent"),
    [
        (aiohttp.ConnectionTimeoutError(), "connect_timeout", False),
        (aiohttp.ServerDisconnectedError(), "disconnected", True),
        (aiohttp.ClientPayloadError(), "cut", True),
        (ConnectionResetError(), "connection", True),
    ],
)
def test_the_class_says_what_happened(error, reason, was_sent):
    fault = classify(error)
    assert (fault.reason, fault.was_sent) == (reason, was_sent)
