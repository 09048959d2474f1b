"""An upstream that costs next to nothing: a raw protocol that answers with bytes made beforehand.

`python -m tests.bench.upstream PORT EVENTS RATE`. Whole answers, or streams of so many events
where the body asks for one: in one write, or with a rate so many a second, each holding the
time at which it was sent. Keep-alive; anything but a POST gets an empty 200.
"""

import asyncio
import json
import sys
import time
from typing import Any

USAGE = {"prompt_tokens": 12, "completion_tokens": 16, "total_tokens": 28}
HEAD = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "bench"}
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_PART = b"0\r\n\r\n"
STAMP = "sent-at-"
WORDS = " and so it goes on for a"


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
                self._start_stream()
            else:
                self._transport.write(self.answer)

    def _start_stream(self) -> None:
        self._transport.write(self.stream)


class PacedUpstream(Upstream):
    """Sends an event every so often, counted from each stream's own beginning."""

    events = 0
    pause = 1.0
    before, after = write_event(STAMP).split(STAMP.encode())

    def _start_stream(self) -> None:
        self._left = self.events
        self._transport.write(STREAM_HEAD + write_part(write_start()))
        loop = asyncio.get_running_loop()
        self._due = loop.time()
        self._send(loop)

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._transport.is_closing():
            return
        if not self._left:
            self._transport.write(write_part(write_end(self.events)) + LAST_PART)
            return
        self._left -= 1
        stamp = b"%b%d " % (STAMP.encode(), time.monotonic_ns())
        self._transport.write(write_part(self.before + stamp + self.after))
        self._due += self.pause
        loop.call_at(self._due, self._send, loop)


def _content_length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def serve(port: int, events: int, rate: int) -> None:
    Upstream.answer, Upstream.stream = write_answer(), write_stream(events)
    PacedUpstream.events, PacedUpstream.pause = events, 1 / max(rate, 1)
    kind = PacedUpstream if rate else Upstream
    server = await asyncio.get_running_loop().create_server(kind, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(*map(int, sys.argv[1:])))
