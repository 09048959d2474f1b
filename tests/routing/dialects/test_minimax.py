"""MiniMax's flags on sensitive texts."""

import json

import pytest

from routing.dialects.base import Meaning, UpstreamFault
from tests.rewriting import rewrite_stream, rewrite_whole

CALL = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
FLAGGED = [{"input_sensitive": True, "input_sensitive_type": 1}, {"output_sensitive": True}]
CALM = {"input_sensitive": False, "output_sensitive": False, "base_resp": {"status_code": 0, "status_msg": ""}}


def stream(*chunks):
    events = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **flags} for delta, reason, flags in chunks
    ]
    return [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]


def whole(message, flags):
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **flags}).encode()


@pytest.mark.parametrize("flags", FLAGGED)
def test_a_flag_and_not_a_word_is_the_content_filter(flags):
    _, reason, _, _ = rewrite_stream(
        stream(({"role": "assistant", "content": ""}, None, CALM), ({}, "stop", flags)), "minimax"
    )
    assert reason == Meaning.CONTENT_FILTER
    with pytest.raises(UpstreamFault) as caught:
        rewrite_whole(whole({"role": "assistant", "content": ""}, flags), "minimax")
    assert (caught.value.reason, caught.value.code) == (Meaning.CONTENT_FILTER, "content_filter")


@pytest.mark.parametrize("flags", [*FLAGGED, CALM])
@pytest.mark.parametrize(("said", "reason"), [({"content": "Hello"}, b"stop"), ({"tool_calls": CALL}, b"tool_calls")])
def test_a_flag_beside_an_answer_leaves_it_as_it_is(flags, said, reason):
    out, meant, _, _ = rewrite_stream(stream((said, None, flags), ({}, reason.decode(), flags)), "minimax")
    assert meant == ""
    assert b'"finish_reason":"%s"' % reason in out
    assert b"Hello" in out or b'"name":"f"' in out
    rewrite_whole(whole({"role": "assistant", **said}, flags), "minimax")


def test_an_empty_answer_without_a_flag_is_an_answer():
    _, reason, _, _ = rewrite_stream(stream(({}, "stop", CALM)), "minimax")
    assert reason == ""
