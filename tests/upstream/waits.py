"""Behaviours that take their time: at the gate, by the piece, or for ever."""

import asyncio
import json

from tests.upstream.server import TEXT, USAGE, Answer, behaviour


@behaviour("silent")
async def _silent(answer: Answer) -> None:
    """Take the request and say nothing until the gate opens."""
    await answer.gate()
    answer.say(TEXT)


@behaviour("slow")
async def _slow(answer: Answer) -> None:
    """Send the head and a role, but no content until the gate opens."""
    answer.open_stream([])
    await answer.gate()
    for word in TEXT:
        answer.chunk({"content": word})
    answer.close_stream()


@behaviour("busy")
async def _busy(answer: Answer) -> None:
    """Comment all the time, as providers do while a request waits, but send no content until the gate opens."""
    answer.head()
    gate = asyncio.ensure_future(answer.gate())
    while not gate.done():
        answer.write(b": keep-alive\n\n")
        await asyncio.wait([gate], timeout=0.02)
    answer.chunk({"content": "late"})
    answer.close_stream()


@behaviour("held")
async def _held(answer: Answer) -> None:
    """Send one word, the rest when the gate opens."""
    if not answer.streams:
        await answer.gate()
        answer.say(TEXT)
        return
    answer.open_stream(TEXT[:1])
    await answer.gate()
    for word in TEXT[1:]:
        answer.chunk({"content": word})
    answer.close_stream()


@behaviour("late-body")
async def _late_body(answer: Answer) -> None:
    """Send the head of a whole answer, the rest when the gate opens."""
    answer.head(kind="application/json")
    await answer.gate()
    choice = {"index": 0, "message": {"role": "assistant", "content": "".join(TEXT)}, "finish_reason": "stop"}
    answer.write(json.dumps({"choices": [choice], "usage": USAGE}).encode())
    answer.end()


@behaviour("burst")
async def _burst(answer: Answer) -> None:
    """Say more at once than all buffers on the way hold, the rest when the gate opens."""
    answer.open_stream(["a burst" * 2**20])
    await answer.gate()
    answer.chunk({"content": "rest"})
    answer.close_stream()


@behaviour("endless")
async def _endless(answer: Answer) -> None:
    """Write as fast as the other side reads, until it hangs up."""
    answer.open_stream([])
    while True:
        answer.chunk({"content": "endless " * 512})
        await answer.flushed()
        await asyncio.sleep(0)


@behaviour("endless-line")
async def _endless_line(answer: Answer) -> None:
    """Begin an event and never end it, until the other side hangs up."""
    answer.head()
    answer.write(b'data: {"choices": "')
    while True:
        answer.write(b"x" * 65_536)
        await answer.flushed()
        await asyncio.sleep(0)


@behaviour("endless-silence")
async def _endless_silence(answer: Answer) -> None:
    """Send chunks without a word, until the other side hangs up."""
    answer.head()
    while True:
        answer.chunk({"role": "assistant", "content": "", "padding": "x" * 4096})
        await answer.flushed()
        await asyncio.sleep(0)


@behaviour("paced")
async def _paced(answer: Answer) -> None:
    """A word every 50 ms, 200 of them; usage at the end."""
    answer.open_stream([])
    for number in range(200):
        answer.chunk({"content": f"word{number:05d} "})
        await asyncio.sleep(0.05)
    answer.close_stream({"prompt_tokens": 12, "completion_tokens": 600, "total_tokens": 612})
