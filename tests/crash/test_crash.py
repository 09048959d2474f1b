"""What a crash costs: at most three seconds of each stream, and no hold stays open."""

import json
import signal
import threading
from decimal import Decimal

import pytest

from tests.gateway.callers import eventually
from tests.gateway.crowd import Heard, ask_at_once

EMAIL = "crowd@example.com"
STREAMS = 50
LOST_SECONDS = 3
ENDED_WELL = -signal.SIGTERM
"""uvicorn ends itself by the signal it was sent, when all is done."""
TOKENS_PER_BYTE = 0.27
"""What the gateway takes for likely before a provider has taught it better."""

pytestmark = pytest.mark.slow


class Crowd:
    """Fifty clients that listen to streams, in a thread."""

    def __init__(self, site, process):
        self.heard = [Heard() for _ in range(STREAMS)]
        secret = site.create_keys({EMAIL: (100.0, ())})[EMAIL]
        arguments = ([process.url], secret, self.heard)
        self.thread = threading.Thread(target=ask_at_once, args=arguments, kwargs={"stream": True})
        self.thread.start()

    def wait_for_words(self, number):
        """Return when each has heard so many words."""
        eventually(lambda: all(len(words(one.text)) >= number for one in self.heard), 60)

    def join(self):
        self.thread.join(120)
        assert not self.thread.is_alive()


def words(text):
    """Return the words of the text so far; a last line that was cut is left out."""
    events = [line.removeprefix("data: ") for line in text.rpartition("\n\n")[0].split("\n\n")]
    chunks = [json.loads(event) for event in events if event.startswith('{"') and '"error"' not in event]
    return [delta for chunk in chunks if (delta := chunk["choices"][0]["delta"].get("content"))]


def test_a_killed_gateway_loses_three_seconds_and_no_hold(site):
    process = site.start()
    crowd = Crowd(site, process)
    crowd.wait_for_words(100)
    killed_at = process.send(signal.SIGKILL)
    crowd.join()
    assert all(one.broke for one in crowd.heard)
    assert site.check()["open_holds"] == STREAMS
    site.start()
    eventually(lambda: site.check()["open_holds"] == 0, 120)
    assert site.check()["differences"] == 0
    (records,) = site.usage(EMAIL)
    charged = {record["id"]: record for record in records}
    assert len(charged) == STREAMS
    for one in crowd.heard:
        record = charged[one.request_id]
        certain = "".join(words(one.before(killed_at - LOST_SECONDS)))
        assert record["output_tokens"] >= int(len(certain) * TOKENS_PER_BYTE) > 0
        assert record["output_tokens"] <= len("".join(words(one.text))) * TOKENS_PER_BYTE + 50
        assert (record["ended_by"], record["count_source"]) == ("gateway", "checkpoint")
        assert Decimal(record["charge"]) > 0


def test_term_cuts_nobody_within_the_drain_time(site):
    process = site.start()
    crowd = Crowd(site, process)
    crowd.wait_for_words(5)
    process.send(signal.SIGTERM)
    crowd.join()
    assert process.wait() == ENDED_WELL
    assert all(one.text.endswith("data: [DONE]\n\n") for one in crowd.heard)
    checked = site.check()
    assert (checked["open_holds"], checked["differences"]) == (0, 0)
    (records,) = site.usage(EMAIL)
    assert {(record["status"], record["count_source"]) for record in records} == {("completed", "provider")}


def test_term_with_a_short_drain_time_ends_streams_with_a_typed_error(site):
    site.environment["SMARTOKEN_DRAIN_SECONDS"] = "1"
    process = site.start()
    crowd = Crowd(site, process)
    crowd.wait_for_words(5)
    process.send(signal.SIGTERM)
    crowd.join()
    assert process.wait() == ENDED_WELL
    assert all('"code":"shutting_down"' in one.text and "[DONE]" not in one.text for one in crowd.heard)
    checked = site.check()
    assert (checked["open_holds"], checked["differences"]) == (0, 0)
    (records,) = site.usage(EMAIL)
    assert all(record["ended_by"] == "gateway" and Decimal(record["charge"]) > 0 for record in records)
