"""A stream with each fault that providers' streams have: read where it can be read, else one typed error."""

import json

import pytest

from routing.errors import ERRORS as KNOWN_ERRORS
from tests.gateway.test_failover import outcomes
from tests.recordings import read_said
from tests.stream_faults import BREAKING, COUNTS, ERRORS, HARMLESS, LONG, SAID, TEXT, chunk, write
from tests.upstream import replay

pytestmark = pytest.mark.slow


@pytest.fixture
def add_replay(add_route):
    """Put an upstream into the pool that writes these pieces."""
    return lambda pieces, kind="text/event-stream", **fields: add_route(replay(pieces, kind=kind), **fields)


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_stream_of_this_form_is_read_like_any_other(caller, add_replay, fault):
    add_replay(HARMLESS[fault])
    reply = caller.chat(stream=True)
    said = read_said(reply.text)
    assert (said.content, said.finish_reason) == (TEXT, "stop")
    assert reply.is_done
    assert [event["choices"][0]["finish_reason"] for event in reply.events].count("stop") == 1
    assert reply.usage["completion_tokens"] == COUNTS["completion_tokens"]
    assert (reply.record.status, reply.record.count_source) == ("completed", "provider")


@pytest.mark.parametrize(("pieces", "reason"), BREAKING.values(), ids=BREAKING)
def test_a_stream_that_breaks_ends_with_a_typed_error(caller, add_replay, pieces, reason):
    add_replay(pieces)
    reply = caller.chat(stream=True)
    assert reply.content == TEXT
    assert not reply.is_done
    assert (reply.error["code"], reply.error["status"]) == ("upstream_error", 502)
    assert reply.record.attempts[-1]["reason"] == reason
    assert reply.record.charge_nanos > 0


@pytest.mark.parametrize(("pieces", "reason"), BREAKING.values(), ids=BREAKING)
def test_a_stream_that_breaks_before_content_fails_over(caller, add_replay, add_route, pieces, reason):
    add_replay([b"".join(pieces).replace(write(SAID), b"", 1)], priority=1)
    add_route("ok", priority=2)
    reply = caller.chat(stream=True)
    assert reply.content == "Hello from upstream"
    [failed, _] = outcomes(reply.record)
    assert failed[1] in ((reason,) if reason != "cut" else ("cut", "empty", "not_json"))


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_in_the_middle_of_a_stream_ends_it_as_ours(caller, add_replay, error):
    add_replay([write(SAID), write([json.dumps(error), "[DONE]"])])
    reply = caller.chat(stream=True)
    assert reply.content == TEXT
    assert not reply.is_done
    assert reply.error["code"] in KNOWN_ERRORS
    assert "died" not in reply.text
    assert reply.record.attempts[-1]["provider_message"] in ("engine died", "engine busy", "Backend timeout.") or (
        "died" in reply.record.attempts[-1]["provider_message"]
    )


@pytest.mark.parametrize("form", ["event", "plain", "many lines"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_with_status_200_fails_over(caller, add_replay, add_route, error, stream, form):
    body = json.dumps(error, indent=2 if form == "many lines" else None).encode()
    as_event = form == "event" and stream
    add_replay([b"data: " + body + b"\n\n" if as_event else body], priority=1)
    add_route("ok", priority=2)
    reply = caller.chat(stream=stream)
    assert reply.content == "Hello from upstream"
    assert outcomes(reply.record)[0][0] == "failed"
    assert outcomes(reply.record)[0][1] in ("server_error", "provider_overloaded")


def test_an_error_behind_a_stream_without_its_frame_is_seen(caller, add_replay):
    add_replay([write(SAID), json.dumps(ERRORS["error object"]).encode()])
    reply = caller.chat(stream=True)
    assert reply.error["code"] == "upstream_error"
    assert reply.record.attempts[-1]["reason"] == "server_error"


def test_a_line_of_five_megabytes_arrives_whole(caller, add_replay):
    add_replay([write([chunk({"content": LONG}), chunk({}, "stop", usage=COUNTS), "[DONE]"])])
    assert caller.chat(stream=True).content == LONG


def test_half_a_character_costs_only_itself(caller, add_replay):
    body = write([r'{"choices": [{"index": 0, "delta": {"content": "a\ud83d"}}]}', *SAID])
    add_replay([body, write([chunk({}, "stop"), "[DONE]"])])
    assert caller.chat(stream=True).content == "a\ufffd" + TEXT


def test_thoughts_held_back_at_the_end_arrive(caller, add_replay):
    add_replay([write([chunk({"content": "<thi"}, "absent"), "[DONE]"]).replace(b', "finish_reason": "absent"', b"")])
    assert caller.chat(stream=True).content == "<thi"


@pytest.mark.parametrize("before", [b"\n\n\n", b": keep-alive\n\n: keep-alive\r\n", b"\xef\xbb\xbf"])
def test_comments_and_blank_lines_before_a_whole_answer_are_left_out(caller, add_replay, before):
    add_replay([before, HARMLESS["plain json"][0]], kind="application/json")
    assert caller.chat().content == TEXT
