"""An upstream that costs next to nothing: a raw protocol that answers with bytes made beforehand.

`python -m tests.bench.upstream PORT EVENTS`. Whole answers, or streams of so many events
in one write where the body asks for one; keep-alive; anything but a POST gets an empty 200.
"""

import asyncio
import json
import sys
from typing import Any

USAGE = {"prompt_tokens": 12, "completion_tokens": 16, "total_tokens": 28}
HEAD = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "bench"}
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
WORDS = " and so it goes on for a while"


def write_answer() -> bytes:
    message = {"role": "assistant", "content": "Here is a short answer of about sixteen tokens, as a model gives it."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def write_stream(events: int) -> bytes:
    """Return a stream with this many events of content, then the finish, the usage and the end."""
    deltas: list[Any] = [{"role": "assistant", "content": ""}, *({"content": WORDS} for _ in range(events))]
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    chunks.append({**_chunk([]), "usage": {**USAGE, "completion_tokens": events, "total_tokens": 12 + events}})
    body = "".join(f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body.encode())


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
                self._transport.write(self.stream)
            else:
                self._transport.write(self.answer)


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
