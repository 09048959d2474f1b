"""The stream of a chat completion, as OpenAI's SDKs read it."""

import pytest

from routing.runtime import get_runtime
from tests.gateway.callers import eventually, read_until


def test_words_come_as_the_provider_sent_them(caller, add_route):
    add_route("ok")
    reply = caller.chat(stream=True)
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.content == "Hello from upstream"
    assert reply.is_done


def test_words_come_before_the_answer_has_ended(caller, add_route, upstream):
    add_route("held")
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        assert not upstream.requests[0].done.is_set()
        upstream.open_gate()
        read_until(lines, "[DONE]")


def test_each_chunk_has_the_public_model_and_one_id_of_ours(caller, add_route):
    add_route("ok")
    events = caller.chat(stream=True).events
    assert {event["model"] for event in events} == {"deepseek"}
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    (id_,) = {event["id"] for event in events}
    assert id_.startswith("chatcmpl-")


@pytest.mark.parametrize("behaviour", ["ok", "usage-on-finish", "usage-everywhere"])
def test_usage_is_on_the_finish_chunk_unless_asked_for(caller, add_route, behaviour):
    add_route(behaviour)
    events = caller.chat(stream=True).events
    assert all(event["choices"] for event in events)
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["usage"]["prompt_tokens"] == 12
    assert not any("usage" in event for event in events[:-1])


@pytest.mark.parametrize("behaviour", ["ok", "usage-on-finish", "usage-everywhere", "no-usage"])
def test_usage_comes_in_its_own_chunk_when_asked_for(caller, add_route, behaviour):
    add_route(behaviour)
    events = caller.chat(stream=True, stream_options={"include_usage": True}).events
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["total_tokens"] > 0
    assert all(event["choices"] and event["usage"] is None for event in events[:-1])
    assert events[-2]["choices"][0]["finish_reason"] == "stop"


def test_usage_tells_details_cost_and_currency(caller, add_route):
    add_route("ok")
    assert caller.chat(stream=True).usage == {
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
        "cost": 0.0000105,
        "currency": "USD",
        "tracked": True,
    }


@pytest.mark.parametrize("stream", [True, False])
def test_what_a_provider_put_into_its_cache_is_told(caller, add_route, stream):
    add_route("ok-cache-written")
    details = {"cached_tokens": 4, "cache_write_tokens": 8}
    assert caller.chat(stream=stream).usage["prompt_tokens_details"] == details


def test_reasoning_is_passed_on_and_counted(caller, add_route):
    add_route("ok-reasoning")
    reply = caller.chat(stream=True)
    deltas = [event["choices"][0]["delta"] for event in reply.events]
    assert "Hm." in [delta.get("reasoning_content") for delta in deltas]
    assert reply.usage["completion_tokens_details"]["reasoning_tokens"] == 2
    assert reply.record.reasoning_tokens == 2


def test_tool_calls_are_passed_on_piece_by_piece(caller, add_route, upstream):
    add_route("ok-tools")
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    reply = caller.chat(stream=True, tools=tools, tool_choice="auto")
    calls = [event["choices"][0]["delta"].get("tool_calls") for event in reply.events]
    pieces = [call[0]["function"]["arguments"] for call in calls if call]
    assert pieces == ["", '{"city": ', '"Wuhan"}']
    assert reply.events[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert upstream.requests[0].body["tools"] == tools


def test_two_choices_both_end_and_usage_comes_once(caller, add_route):
    add_route("two-choices")
    reply = caller.chat(stream=True, n=2)
    finished = [event["choices"][0]["index"] for event in reply.events if event["choices"][0]["finish_reason"]]
    assert finished == [0, 1]
    assert reply.usage["completion_tokens"] == 3


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [("cut-utf8", "你好，世界"), ("crlf", "crlf"), ("odd-chunks", "odd"), ("no-done", "Hello from upstream")],
)
def test_a_stream_in_an_unusual_form_is_read(caller, add_route, behaviour, text):
    add_route(behaviour)
    reply = caller.chat(stream=True)
    assert reply.content == text
    assert reply.is_done
    assert reply.record.status == "completed"


def test_an_answer_without_a_word_is_an_answer(caller, add_route):
    add_route("no-words")
    reply = caller.chat(stream=True)
    assert reply.status == 200
    assert reply.content == ""
    assert reply.usage["prompt_tokens"] == 12
    assert reply.is_done


def test_two_thousand_events_of_one_burst_all_arrive(caller, add_route):
    add_route("many-words")
    reply = caller.chat(stream=True)
    assert reply.content == "".join(f"w{number} " for number in range(2000))


def test_a_stream_without_counts_is_estimated(caller, add_route):
    add_route("no-usage")
    reply = caller.chat(stream=True)
    assert reply.usage["completion_tokens"] > 0
    assert reply.record.count_source == "estimate"


@pytest.mark.parametrize("behaviour", ["ok", "late-end"])
def test_connections_to_a_provider_are_used_again(caller, add_route, upstream, behaviour):
    add_route(behaviour)
    beside = len(get_runtime()._tasks)
    for _ in range(3):
        caller.chat(stream=True)
        eventually(lambda: len(get_runtime()._tasks) <= beside)  # the end of the body has been read
    assert len({request.connection for request in upstream.requests}) == 1
