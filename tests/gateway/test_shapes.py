"""Every family's manner of answering comes out as one: OpenAI's."""

import json

import pytest

from routing import dialects
from tests.recordings import read_said
from tests.shapes import CALL_ID, SHAPES, expected, kinds_of

pytestmark = pytest.mark.slow

PAIRS = [(name, kind) for name in SHAPES for kind in kinds_of(name)]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


@pytest.fixture
def ask(caller, add_route):
    """Ask an upstream of this dialect that answers in its own manner."""

    def make(dialect, kind, **fields):
        add_route(f"shape-{dialect}-{kind}", family="deepseek", dialect=dialect)
        return caller.chat(**fields)

    return make


def test_every_dialect_has_a_shape():
    assert set(SHAPES) == set(dialects.DIALECTS)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("dialect", "kind"), PAIRS)
def test_all_that_was_said_arrives_in_its_place(ask, dialect, kind, stream):
    said, wanted = read_said(ask(dialect, kind, stream=stream).text), expected(dialect, kind)
    assert (said.content, said.reasoning) == (wanted["content"], wanted["reasoning"])
    assert said.finish_reason == wanted["finish_reason"]
    assert [json.loads(call["arguments"]) for call in said.calls.values()] == (
        [json.loads(wanted["arguments"])] if wanted["arguments"] else []
    )


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", SHAPES)
def test_counts_are_found_wherever_they_are(ask, dialect, stream):
    reply, wanted = ask(dialect, "text", stream=stream), expected(dialect, "text")
    if wanted["input"] is None:
        assert reply.record.count_source == "estimate"
        return
    usage = reply.usage
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (wanted["input"], wanted["output"])
    assert usage["prompt_tokens_details"]["cached_tokens"] == wanted["cached"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == wanted["reasoning_tokens"]
    assert reply.record.count_source == "provider"


@pytest.mark.parametrize("dialect", SHAPES)
def test_a_tool_call_has_its_index_each_time_and_its_id_and_name_once(ask, dialect):
    events = ask(dialect, "tools", stream=True, tools=TOOLS).events
    pieces = [call for event in events for call in event["choices"][0]["delta"].get("tool_calls", [])]
    assert {call["index"] for call in pieces} == {0}
    assert [call["id"] for call in pieces if "id" in call] == [CALL_ID]
    assert [call["function"]["name"] for call in pieces if "name" in call["function"]] == ["weather"]
    assert all(type(call["function"]["arguments"]) is str for call in pieces)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", SHAPES)
def test_each_chunk_and_answer_says_what_it_is(ask, dialect, stream):
    reply = ask(dialect, "text", stream=stream)
    kind = "chat.completion.chunk" if stream else "chat.completion"
    for part in reply.events if stream else [reply.json]:
        assert (part["object"], part["model"]) == (kind, "deepseek")
        assert part["id"].startswith("chatcmpl-")
        assert type(part["created"]) is int


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("dialect", "kind"), [pair for pair in PAIRS if pair[1] in ("long", "filtered")])
def test_a_providers_own_reason_stands_beside_openais(ask, dialect, kind, stream):
    reply, own = ask(dialect, kind, stream=stream), getattr(SHAPES[dialect], kind)
    [choice] = reply.events[-1]["choices"] if stream else reply.json["choices"]
    assert choice.get("native_finish_reason") == (own if own != choice["finish_reason"] else None)


@pytest.mark.parametrize("dialect", SHAPES)
def test_only_openais_finish_reasons_and_roles_are_seen(ask, dialect):
    choices = [event["choices"][0] for event in ask(dialect, "text", stream=True).events]
    assert [choice["finish_reason"] for choice in choices][-1] == "stop"
    assert {choice["finish_reason"] for choice in choices[:-1]} == {None}
    assert {choice["delta"].get("role", "assistant") for choice in choices} == {"assistant"}
    assert not any("reasoning" in choice["delta"] or "usage" in choice for choice in choices)
