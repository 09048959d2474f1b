"""Behaviours that end well: what they say, and what they count."""

import asyncio
from typing import Any

from tests.upstream.server import BEHAVIOURS, TEXT, USAGE, Answer, Behaviour, behaviour


@behaviour("ok")
async def _ok(answer: Answer) -> None:
    answer.say(TEXT)


@behaviour("ok-tools")
async def _ok_tools(answer: Answer) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Wuhan"}'}}
    if not answer.streams:
        answer.completion({"content": None, "tool_calls": [call]}, USAGE, "tool_calls")
        return
    answer.head()
    opening = {"name": "weather", "arguments": ""}
    answer.chunk({"role": "assistant", "tool_calls": [{"index": 0, **call, "function": opening}]})
    for piece in ('{"city": ', '"Wuhan"}'):
        answer.chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    answer.close_stream(finish="tool_calls")


@behaviour("ok-json")
async def _ok_json(answer: Answer) -> None:
    answer.say(['{"city": ', '"Wuhan"}'])


@behaviour("ok-fenced-json")
async def _ok_fenced_json(answer: Answer) -> None:
    answer.say(["```json\n", '{"city": "Wuhan"}', "\n```"])


@behaviour("ok-thinking-tools")
async def _ok_thinking_tools(answer: Answer) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    if not answer.streams:
        message = {"content": None, "reasoning_content": "I need the weather.", "tool_calls": [call]}
        answer.completion(message, USAGE, "tool_calls")
        return
    answer.head()
    for piece in ("I need ", "the weather."):
        answer.chunk({"reasoning_content": piece})
    answer.chunk({"tool_calls": [{"index": 0, **call}]})
    answer.close_stream(finish="tool_calls")


@behaviour("ok-reasoning")
async def _ok_reasoning(answer: Answer) -> None:
    usage = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 2}}
    if not answer.streams:
        answer.completion({"content": "42", "reasoning_content": "Hm."}, usage)
        return
    answer.open_stream([])
    answer.chunk({"reasoning_content": "Hm."})
    answer.chunk({"content": "42"})
    answer.close_stream(usage)


@behaviour("ok-cached")
async def _ok_cached(answer: Answer) -> None:
    answer.say(TEXT, {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}})


@behaviour("ok-cache-written")
async def _ok_cache_written(answer: Answer) -> None:
    answer.say(TEXT, {**USAGE, "prompt_tokens_details": {"cached_tokens": 4, "cache_creation_input_tokens": 8}})


@behaviour("two-choices")
async def _two_choices(answer: Answer) -> None:
    answer.head()
    for index in (0, 1):
        answer.chunk({"content": f"choice {index}"}, index=index)
    for index in (0, 1):
        answer.chunk({}, "stop", index=index)
    answer.usage_chunk(USAGE)
    answer.event(b"[DONE]")
    answer.end()


@behaviour("usage-on-finish")
async def _usage_on_finish(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.chunk({}, "stop", USAGE)
    answer.event(b"[DONE]")
    answer.end()


@behaviour("usage-everywhere")
async def _usage_everywhere(answer: Answer) -> None:
    answer.head()
    for count, word in enumerate(TEXT, 1):
        answer.chunk({"content": word}, usage={"prompt_tokens": 12, "completion_tokens": count})
    answer.close_stream(None)


@behaviour("usage-growing")
async def _usage_growing(answer: Answer) -> None:
    """Count with each chunk; the second half when the gate opens."""
    answer.head()
    for count, word in enumerate([*TEXT, *TEXT], 1):
        if count == len(TEXT) + 1:
            await answer.gate()
        answer.chunk({"content": word}, usage={"prompt_tokens": 12, "completion_tokens": count})
        await answer.flushed()
        await asyncio.sleep(0.01)
    answer.close_stream(None)


@behaviour("echo")
async def _echo(answer: Answer) -> None:
    """Say what the last message says."""
    answer.say([answer.body["messages"][-1]["content"]])


def said(answer: Answer) -> str:
    return str(answer.body["messages"][-1]["content"])


@behaviour("echo-tool")
async def _echo_tool(answer: Answer) -> None:
    """Call a tool whose id, name and arguments are what the last message says, and think the same before."""
    call = {"id": said(answer), "type": "function", "function": {"name": said(answer), "arguments": said(answer)}}
    message = {"content": None, "reasoning_content": said(answer), "tool_calls": [call]}
    answer.completion(message, USAGE, "tool_calls")


@behaviour("echo-400")
async def _echo_400(answer: Answer) -> None:
    """Refuse the request and quote it."""
    answer.json(400, {"error": {"message": f"Can't parse '{said(answer)}' at character 3", "code": "bad"}})


@behaviour("echo-500")
async def _echo_500(answer: Answer) -> None:
    answer.json(500, {"error": f"Traceback: generate(prompt={said(answer)!r})"})


@behaviour("echo-in-stream")
async def _echo_in_stream(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.event({"error": {"message": f"engine died on: {said(answer).upper()}", "code": 500}})
    answer.end()


@behaviour("flood")
async def _flood(answer: Answer) -> None:
    """Say sixteen megabytes as fast as the other side reads, then end well."""
    answer.open_stream([])
    for _ in range(256):
        answer.chunk({"content": "flooding" * 8192})
        await answer.flushed()
        await asyncio.sleep(0)
    answer.close_stream()


REPORTS: dict[str, Any] = {
    "usage-negative": {"prompt_tokens": -5, "completion_tokens": -7},
    "usage-huge": {"prompt_tokens": 10**30, "completion_tokens": 10**18},
    "usage-text": {"prompt_tokens": "12", "completion_tokens": "three"},
    "usage-float": {"prompt_tokens": 12.5, "completion_tokens": 3.0},
    "usage-true": {"prompt_tokens": True, "completion_tokens": True},
    "usage-null": {"prompt_tokens": None, "completion_tokens": None},
    "usage-empty": {},
    "usage-list": [12, 3],
    "usage-cached-above-input": {**USAGE, "prompt_tokens_details": {"cached_tokens": 10**12}},
    "usage-dear": {"prompt_tokens": 12, "completion_tokens": 100_000},
    "no-usage": None,
}


def _report(usage: Any) -> Behaviour:
    async def answer_with(answer: Answer) -> None:
        answer.say(TEXT, usage)

    return answer_with


BEHAVIOURS.update({name: _report(usage) for name, usage in REPORTS.items()})
