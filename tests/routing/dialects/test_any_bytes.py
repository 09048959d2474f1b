"""Whatever a provider sends, cut wherever it is cut: the same answer each time, or an UpstreamFault."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from routing import dialects
from routing.dialects.base import UpstreamFault
from routing.errors import ERRORS as KNOWN_ERRORS
from tests.recordings import load_recordings
from tests.rewriting import rewrite_stream, rewrite_whole
from tests.shapes import SHAPES, kinds_of
from tests.stream_faults import BREAKING, ERRORS, HARMLESS, SAID, write

pytestmark = pytest.mark.slow


def shorten(body: str, most: int = 60) -> bytes:
    """Return a long recording's beginning and end."""
    events = body.split("\n\n")
    return "\n\n".join(events if len(events) <= most else [*events[: most // 2], *events[-most // 2 :]]).encode()


STREAMS: list[tuple[str, bytes]] = [
    *((one.dialect, shorten(one.body)) for one in load_recordings() if one.is_stream),
    *((name, SHAPES[name].stream(kind)) for name in SHAPES for kind in kinds_of(name)),
    *(("openai", b"".join(pieces)) for pieces in HARMLESS.values()),
    *(("openai", b"".join(pieces)) for pieces, _ in BREAKING.values()),
    *(("openai", write(SAID) + write([json.dumps(error)])) for error in ERRORS.values()),
    *(("openai", json.dumps(error, indent=1).encode()) for error in ERRORS.values()),
]
WHOLE = {stream: rewrite_stream([stream[1]], stream[0]) for stream in STREAMS}


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(STREAMS), st.data())
def test_any_split_into_reads_gives_the_same_answer(stream, data):
    dialect, body = stream
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=40)))
    reads = [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]
    assert rewrite_stream(reads, dialect) == WHOLE[stream]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_reads_of_one_size_give_the_same_answer(size):
    for dialect, body in STREAMS:
        reads = [body[start : start + size] for start in range(0, len(body), size)]
        assert rewrite_stream(reads, dialect) == WHOLE[dialect, body]


NAMES = st.sampled_from(
    [
        "choices",
        "delta",
        "message",
        "content",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "text",
        "tool_calls",
        "index",
        "id",
        "function",
        "name",
        "arguments",
        "finish_reason",
        "usage",
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "cached_tokens",
        "reasoning_tokens",
        "error",
        "code",
        "type",
        "param",
        "base_resp",
        "status",
        "status_code",
        "Response",
        "Error",
        "ErrorMsg",
        "object",
        "success",
        "msgCode",
        "error_code",
        "role",
        "refusal",
        "request_id",
        "sid",
        "http_code",
    ]
)
WORDS = st.sampled_from(
    ["", "stop", "null", "abort", "error", "<think>", "</think>", "<thi", "nk>", "a", "200", "\u20ac"]
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS | st.text()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
DIALECTS = st.sampled_from(sorted(dialects.DIALECTS))


def one_of(*known: Any) -> Any:
    return st.sampled_from(known) | VALUES


CALLS = st.fixed_dictionaries(
    {},
    optional={
        "index": one_of(0, 1),
        "id": one_of("c", ""),
        "function": VALUES
        | st.fixed_dictionaries({}, optional={"name": one_of("f", ""), "arguments": one_of("{", "}")}),
    },
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "role": one_of("assistant", ""),
        "content": WORDS | VALUES,
        "reasoning": VALUES,
        "reasoning_content": VALUES,
        "reasoning_details": VALUES,
        "tool_calls": st.lists(CALLS | VALUES, max_size=3) | CALLS | VALUES,
    },
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "index": one_of(0, 1),
        "delta": PARTS | VALUES,
        "message": PARTS | VALUES,
        "finish_reason": one_of(None, "stop", ""),
        "usage": VALUES,
    },
)
CHOSEN = {"choices": st.lists(CHOICES | VALUES, max_size=3) | VALUES}
NEARLY = st.fixed_dictionaries(CHOSEN, optional={"usage": VALUES})
CHUNKS = NEARLY | VALUES | st.fixed_dictionaries(CHOSEN, optional={"usage": VALUES, "error": VALUES, "code": VALUES})


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.binary(max_size=60) | st.sampled_from([b"data: ", b"\n\n", b"data: {", b"[DONE]"]), max_size=8),
    DIALECTS,
)
@example([b"data: " + b"[" * 2000 + b"\n\n"], "openai")
@example([b"data: " + b'{"a":' * 300 + b"1" + b"}" * 300 + b"\n\n"], "spark")
def test_any_bytes_are_a_stream_or_a_fault(reads, dialect):
    _, reason, _, _ = rewrite_stream(reads, dialect)
    assert reason


@settings(max_examples=600, deadline=None)
@given(st.lists(NEARLY, max_size=5) | st.lists(CHUNKS, max_size=5), DIALECTS)
def test_any_json_in_any_place_gives_chunks_of_openais_kind(chunks, dialect):
    events = [b"data: " + dump(one) + b"\n\n" for one in chunks]
    out, reason, _, _ = rewrite_stream([write(SAID), *events, b"data: [DONE]\n\n"], dialect)
    for line in out.decode().split("\n\n"):
        if line and line != "data: [DONE]":
            check_choices(json.loads(line.removeprefix("data: "))["choices"], "delta")
    assert bool(reason) != out.endswith(b"[DONE]\n\n")


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def check_choices(choices: list[Any], part: str) -> None:
    for choice in choices:
        said = choice[part]
        assert type(choice["index"]) is int
        assert choice["finish_reason"] in (None, "stop", "length", "tool_calls", "content_filter")
        assert all(isinstance(said.get(name), str | None) for name in ("role", "content", "reasoning_content"))
        assert not {"reasoning", "reasoning_details"} & said.keys()
        for call in said.get("tool_calls", []):
            assert type(call["function"]["arguments"]) is str
            assert all(isinstance(call.get(name, ""), str) for name in ("id", "type"))


@settings(max_examples=600, deadline=None)
@given(CHUNKS | st.binary(max_size=60), DIALECTS)
def test_any_whole_answer_is_openais_or_a_fault(answer, dialect):
    body = answer if isinstance(answer, bytes) else dump(answer)
    try:
        written, _ = rewrite_whole(body, dialect)
    except UpstreamFault as fault:
        assert fault.code in KNOWN_ERRORS
        return
    check_choices(json.loads(written)["choices"], "message")


@settings(max_examples=400, deadline=None)
@given(st.integers(100, 599), CHUNKS | st.binary(max_size=60), DIALECTS)
def test_any_error_has_a_code_of_ours_and_words_that_can_be_kept(status, answer, dialect):
    body = answer if isinstance(answer, bytes) else dump(answer)
    fault = dialects.get(dialect).read_error(status, body)
    assert fault.code in KNOWN_ERRORS
    kept = (fault.reason, fault.provider_message, fault.provider_request_id, fault.param or "")
    assert all(text.encode().decode().isprintable() for text in kept)
