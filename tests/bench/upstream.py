"""An upstream that costs next to nothing: a raw protocol that answers with bytes made beforehand.

`python -m tests.bench.upstream PORT EVENTS`. Whole answers, or streams of so many events in one write
where the body asks for one; a prompt with ``write_pace``'s words gets its events one by one instead, each
holding the time at which it was sent. Keep-alive; anything but a POST gets an empty 200.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

USAGE = {"prompt_tokens": 12, "completion_tokens": 16, "total_tokens": 28}
HEAD = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "bench"}
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_PART = b"0\r\n\r\n"
STAMP = "sent-at-"
PACE = re.compile(rb"tell (\d+) things, (\d+) a second")
WORDS = " and so it goes on for a"


def write_pace(events: int, rate: int) -> str:
    """Return a prompt that is answered with so many events, so many a second."""
    return f"tell {events} things, {rate} a second"


def write_answer() -> bytes:
    message = {"role": "assistant", "content": "Here is a short answer of about sixteen tokens, as a model gives it."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def write_stream(events: int) -> bytes:
    """Return a stream with this many events of content, then the finish, the usage and the end."""
    # Equal events one after the other are taken for a model in a loop by some.
    body = write_start() + b"".join(write_event(f"{WORDS} {number}") for number in range(events)) + write_end(events)
    return STREAM_HEAD + write_part(body) + LAST_PART


def write_start() -> bytes:
    return _event(_chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]))


def write_event(words: str) -> bytes:
    return _event(_chunk([{"index": 0, "delta": {"content": words}, "finish_reason": None}]))


def write_end(events: int) -> bytes:
    finish = _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    usage = {**_chunk([]), "usage": {**USAGE, "completion_tokens": events, "total_tokens": 12 + events}}
    return _event(finish) + _event(usage) + b"data: [DONE]\n\n"


def write_part(body: bytes) -> bytes:
    """Return a part of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {**HEAD, "object": "chat.completion.chunk", "choices": choices}


BEFORE, AFTER = write_event(STAMP).split(STAMP.encode())


class Upstream(asyncio.Protocol):
    answer = b""
    stream = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._read = bytearray()

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[:end]).lower()
            stop = end + 4 + _content_length(head)
            if len(self._read) < stop:
                return
            body = bytes(self._read[end + 4 : stop])
            del self._read[:stop]
            if not head.startswith(b"post"):
                self._transport.write(EMPTY)
            elif b'"stream":true' in body or b'"stream": true' in body:
                self._start_stream(body)
            else:
                self._transport.write(self.answer)

    def _start_stream(self, body: bytes) -> None:
        if pace := PACE.search(body):
            events, rate = map(int, pace.groups())
            self._transport.write(STREAM_HEAD + write_part(write_start()))
            loop = asyncio.get_running_loop()
            self._send_next(loop, loop.time(), 1 / rate, events, events)
        else:
            self._transport.write(self.stream)

    def _send_next(self, loop: asyncio.AbstractEventLoop, due: float, pause: float, left: int, events: int) -> None:
        if self._transport.is_closing():
            return
        if left:
            stamp = b"%b%d " % (STAMP.encode(), time.monotonic_ns())
            self._transport.write(write_part(BEFORE + stamp + AFTER))
            loop.call_at(due + pause, self._send_next, loop, due + pause, pause, left - 1, events)
        else:
            self._transport.write(write_part(write_end(events)) + LAST_PART)


def _content_length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def serve(port: int, events: int) -> None:
    Upstream.answer, Upstream.stream = write_answer(), write_stream(events)
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
