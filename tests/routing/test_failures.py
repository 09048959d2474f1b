"""What an exception of the client means: whether the provider may have got the request."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest

from routing.failures import FAILURES, classify, read_retry_after


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


def test_no_class_is_hidden_by_one_before_it():
    classes = [class_ for class_, *_ in FAILURES]
    hidden = [class_ for place, class_ in enumerate(classes) if issubclass(class_, tuple(classes[:place]))]
    assert hidden == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("20", 20), ("1.5", 2), ("0", 0), ("", None), ("soon", None), ("-1", None), ("1e9", None), ("²", None)],
)
def test_a_retry_after_is_a_number_of_seconds(value, seconds):
    assert read_retry_after(value) == seconds


def test_a_retry_after_may_be_a_date():
    at = datetime.now(UTC) + timedelta(minutes=5)
    assert 290 <= read_retry_after(format_datetime(at, usegmt=True)) <= 300
    assert read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert read_retry_after("Wed, 99 Oct 2015 07:28:00 GMT") is None
