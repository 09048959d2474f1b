"""Every recorded answer of a provider passes through the running gateway, in any cut, and nothing of it is lost."""

import json
import math

import pytest

from billing import money
from billing.models import Price
from routing.errors import ERRORS
from tests.recordings import CUTS, load_recordings, read_said
from tests.upstream import replay

pytestmark = pytest.mark.slow

RECORDINGS = load_recordings()
STREAMS = [pytest.param(one, id=one.name) for one in RECORDINGS if one.is_stream]
WHOLE = [pytest.param(one, id=one.name) for one in RECORDINGS if not one.is_stream and not one.is_error]
ERRORS_RECORDED = [pytest.param(one, id=one.name) for one in RECORDINGS if one.is_error]


@pytest.fixture
def add_recording(add_route):
    """Put an upstream into the pool that answers with this recording, in these pieces."""

    def add(recording, cut="whole"):
        kind = "text/event-stream" if recording.is_stream else "application/json"
        name = replay(CUTS[cut](recording.body.encode()), status=recording.status, kind=kind)
        add_route(name, family=recording.dialect, dialect=recording.dialect)

    return add


def charge_of(slug, usage):
    """Return what these counts cost, in nano-dollars."""
    price = Price.objects.filter(model=slug).latest("starts_at")
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    fresh = usage["prompt_tokens"] - cached
    millionths = fresh * price.input_micros + cached * price.cached_micros
    return math.ceil((millionths + usage["completion_tokens"] * price.output_micros) / 1000)


def test_there_are_recordings_of_four_families():
    if not RECORDINGS:
        pytest.skip("the recordings lie beside the project")
    assert {one.dialect for one in RECORDINGS} == {"deepseek", "kimi", "qwen", "glm"}
    assert (len(STREAMS), len(WHOLE), len(ERRORS_RECORDED)) == (7, 4, 1)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_arrives_with_all_that_it_says(caller, add_recording, recording, cut):
    add_recording(recording, cut)
    reply = caller.chat(model=recording.dialect, stream=True)
    assert read_said(reply.text) == read_said(recording.body)
    assert reply.is_done
    assert len([event for event in reply.events if event["choices"][0]["finish_reason"]]) == 1


@pytest.mark.parametrize("recording", [*STREAMS, *WHOLE])
def test_a_recorded_answer_costs_what_its_counts_cost(caller, add_recording, recording):
    add_recording(recording)
    reply = caller.chat(model=recording.dialect, stream=recording.is_stream)
    usage = reply.usage
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (
        recording.usage["prompt_tokens"],
        recording.usage["completion_tokens"],
    )
    assert reply.record.count_source == "provider"
    assert reply.record.charge_nanos == charge_of(recording.dialect, recording.usage)
    assert usage["cost"] * money.NANOS == pytest.approx(reply.record.charge_nanos)


@pytest.mark.parametrize("recording", [*STREAMS, *WHOLE])
def test_details_of_the_counts_stand_in_openais_places(caller, add_recording, recording):
    add_recording(recording)
    usage = caller.chat(model=recording.dialect, stream=recording.is_stream).usage
    cached = (recording.usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    thought = (recording.usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    assert usage["prompt_tokens_details"]["cached_tokens"] == cached
    assert usage["completion_tokens_details"]["reasoning_tokens"] == thought


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("recording", WHOLE)
def test_a_recorded_whole_answer_arrives_with_all_that_it_says(caller, add_recording, recording, cut):
    add_recording(recording, cut)
    reply = caller.chat(model=recording.dialect)
    assert read_said(reply.text) == read_said(recording.body)
    assert reply.json["object"] == "chat.completion"
    assert reply.json["model"] == recording.dialect


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("recording", STREAMS)
def test_tool_calls_have_an_id_and_a_name_once(caller, add_recording, recording, cut):
    add_recording(recording, cut)
    pieces = [
        call
        for event in caller.chat(model=recording.dialect, stream=True).events
        for call in event["choices"][0]["delta"].get("tool_calls", [])
    ]
    calls = {call["index"] for call in pieces}
    assert len([call for call in pieces if "id" in call]) == len(calls)
    assert len([call for call in pieces if "name" in call["function"]]) == len(calls)
    assert all(isinstance(call["function"]["arguments"], str) for call in pieces)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("recording", ERRORS_RECORDED)
def test_a_recorded_error_becomes_ours_and_costs_nothing(caller, add_recording, wallet, recording, stream):
    add_recording(recording)
    reply = caller.chat(model=recording.dialect, stream=stream)
    assert (reply.status, reply.error["code"]) == (ERRORS["upstream_error"].status, "upstream_error")
    provider_words = json.loads(recording.body)["error"]["message"]
    assert provider_words not in reply.text
    assert reply.record.attempts[0]["provider_message"] == provider_words
    assert wallet.spent == 0
