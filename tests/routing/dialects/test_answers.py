"""Answers of every shape that providers send come out in OpenAI's."""

import pytest

from routing.dialects.answers import FINISH_REASONS, Reader, ThinkSplitter, Usage, read_usage
from routing.dialects.base import UpstreamFault


@pytest.fixture
def reader():
    return Reader(seed="abc", finish_reasons=FINISH_REASONS)


def chunk(delta, finish=None, **fields):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **fields}]}


def deltas(reader, *parts):
    return [reader.read_chunk(part)[0]["delta"] for part in parts]


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3}, Usage(9, 0, 3, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 4}, Usage(9, 4, 3, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "cached_tokens": 5}, Usage(9, 5, 3, 0)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 6}}, Usage(9, 6, 0, 0)),
        ({"completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 2}}, Usage(0, 0, 3, 2)),
        ({"prompt_tokens": 9, "prompt_tokens_details": None, "completion_tokens_details": None}, Usage(9, 0, 0, 0)),
    ],
)
def test_counts_are_found_under_every_name(usage, counts):
    assert read_usage({"usage": usage}) == counts
    assert read_usage({"choices": [{"usage": usage}]}) == counts


@pytest.mark.parametrize("usage", [None, [], "12", {}, {"total_tokens": 5}])
def test_what_holds_no_counts_is_none(usage):
    assert read_usage({"usage": usage, "choices": []}) is None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_block_of_thoughts_is_parted_wherever_it_is_cut(size):
    text = "\n<think>\nFirst <b>this</b>,\nthen that.</think>\n\nThe answer is <think> 42."
    splitter, reasoning, content = ThinkSplitter(), "", ""
    for start in range(0, len(text), size):
        more = splitter.take(text[start : start + size])
        reasoning, content = reasoning + more[0], content + more[1]
    more = splitter.finish()
    assert reasoning + more[0] == "First <b>this</b>,\nthen that."
    assert content + more[1] == "The answer is <think> 42."


@pytest.mark.parametrize("text", ["<thin", "<", "<thinker>x", "a <think>b</think>"])
def test_what_only_looks_like_thoughts_is_content(text):
    splitter = ThinkSplitter()
    first, last = splitter.take(text), splitter.finish()
    assert (first[0] + last[0], first[1] + last[1]) == ("", text)


def test_thoughts_that_never_end_are_reasoning(reader):
    parts = deltas(reader, chunk({"content": "<think>still"}), chunk({"content": " on </thi"}), chunk({}, "length"))
    assert "".join(part.get("reasoning_content", "") for part in parts) == "still on </thi"
    assert not any(part.get("content") for part in parts)


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning": "Hm"},
        {"reasoning_content": "Hm"},
        {"reasoning": "Hm", "reasoning_content": "Hm"},
        {"reasoning_details": [{"type": "text", "text": "Hm"}]},
    ],
)
def test_reasoning_has_one_name(reader, delta):
    assert deltas(reader, chunk(delta)) == [{"reasoning_content": "Hm"}]


def test_tool_calls_have_an_index_each_time_and_an_id_once(reader):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    parts = deltas(
        reader,
        chunk({"tool_calls": [{"index": 0, **call}]}),
        chunk({"tool_calls": [{"index": 0, "id": "", "function": {"name": "", "arguments": '{"a"'}}]}),
        chunk({"tool_calls": [{"function": {"arguments": ":1}"}}]}),
    )
    assert [part["tool_calls"][0] for part in parts] == [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ]


def test_a_call_that_comes_as_an_object_with_arguments_as_one_is_repaired(reader):
    [delta] = deltas(reader, chunk({"tool_calls": {"function": {"name": "f", "arguments": {"a": 1}}}}))
    [call] = delta["tool_calls"]
    assert call == {
        "index": 0,
        "id": "call_abc0_0",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a":1}'},
    }


def test_two_calls_without_an_index_are_two(reader):
    calls = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in ("a", "b")]
    [delta] = deltas(reader, chunk({"tool_calls": calls}))
    assert [(call["index"], call["id"]) for call in delta["tool_calls"]] == [(0, "a"), (1, "b")]


@pytest.mark.parametrize(
    ("given", "known"),
    [("sensitive", "content_filter"), ("max_output", "length"), ("stop", "stop"), ("whatever", "stop"), ("", None)],
)
def test_finish_reasons_are_openais(reader, given, known):
    [choice] = reader.read_chunk(chunk({}, given))
    assert choice["finish_reason"] == known
    assert choice.get("native_finish_reason") == (given if known and given != known else None)


@pytest.mark.parametrize("reason", ["insufficient_system_resource", "aborted", "network_error"])
def test_a_provider_that_gives_up_has_failed(reader, reason):
    with pytest.raises(UpstreamFault):
        reader.read_chunk(chunk({}, reason))


def test_a_whole_object_at_the_end_says_nothing_twice(reader):
    whole = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}]}
    assert deltas(reader, chunk({"content": "Hello"}), whole) == [{"content": "Hello"}, {}]


def test_a_whole_object_alone_is_the_answer(reader):
    whole = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hello"}}]}
    assert deltas(reader, whole) == [{"content": "Hello"}]


def test_an_answer_without_a_reason_ends_by_what_it_holds(reader):
    deltas(reader, chunk({"content": "x"}))
    assert reader.read_unfinished() == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    deltas(reader, chunk({"tool_calls": [{"id": "c", "function": {"name": "f"}}]}))
    assert reader.read_unfinished()[0]["finish_reason"] == "tool_calls"
    deltas(reader, chunk({}, "tool_calls"))
    assert reader.read_unfinished() == []


def test_calls_that_share_an_index_are_told_apart(reader):
    calls = [{"index": 0, "id": name, "function": {"name": name, "arguments": "{"}} for name in "ab"]
    rest = {"index": 0, "function": {"arguments": "}"}}
    again = {"index": 0, "id": "b", "function": {"name": "b", "arguments": ""}}
    parts = deltas(reader, *(chunk({"tool_calls": [call]}) for call in (*calls, rest, again)))
    pieces = [part["tool_calls"][0] for part in parts]
    assert [(piece["index"], piece.get("id")) for piece in pieces] == [(0, "a"), (1, "b"), (1, None), (1, None)]


def test_an_answer_with_calls_ends_with_them_whatever_its_provider_says(reader):
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    reader.read_chunk(chunk({"tool_calls": [call]}))
    [last] = reader.read_chunk(chunk({}, "stop"))
    assert (last["finish_reason"], last["native_finish_reason"]) == ("tool_calls", "stop")
    whole = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": None, "tool_calls": [call]}}]}
    assert reader.read_whole(whole)["choices"][0]["finish_reason"] == "tool_calls"


def test_a_whole_answer_is_put_right(reader):
    message = {
        "content": "<think>Hm</think>42",
        "tool_calls": {"function": {"name": "f", "arguments": {"a": 1}}},
    }
    answer = reader.read_whole({"choices": [{"message": message, "finish_reason": "", "usage": {"prompt_tokens": 3}}]})
    [choice] = answer["choices"]
    assert (choice["index"], choice["finish_reason"]) == (0, "tool_calls")
    assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("42", "Hm")
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    assert answer["usage"] == {"prompt_tokens": 3}
