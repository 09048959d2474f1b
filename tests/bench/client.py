"""Load where wrk is not installed: as many connections as asked for, each one request after the other.

`python -m tests.bench.client HOST PORT CONNECTIONS SECONDS` reads the request's bytes from its
input and prints what ``load`` reads. It parses no more of an answer than where it ends.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
EVENTS = b"text/event-stream"
DONE = b"data: [DONE]"


class Run:
    """What all connections have counted. Times are in ms."""

    def __init__(self, request: bytes, seconds: float) -> None:
        self.request = request
        self.until = time.perf_counter() + seconds
        self.times: list[float] = []
        self.errors = 0


class Connection(asyncio.Protocol):
    def __init__(self, run: Run) -> None:
        self._run = run
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._read = bytearray()
        self._end: int | None = None
        self._is_chunked = self._is_stream = False
        self._asked_at = time.perf_counter()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._end is None and not self._is_chunked:
            self._read_head()
        is_whole = self._read.endswith(LAST_CHUNK) if self._is_chunked else len(self._read) == self._end
        if is_whole:
            self._note_answer()

    def _read_head(self) -> None:
        end = self._read.find(END)
        if end < 0:
            return
        length = LENGTH.search(self._read, 0, end)
        self._is_chunked = length is None
        self._is_stream = EVENTS in bytes(self._read[:end]).lower()
        self._end = end + len(END) + int(length[1]) if length else None

    def _note_answer(self) -> None:
        now = time.perf_counter()
        self._run.times.append((now - self._asked_at) * 1000)
        is_good = self._read.startswith(b"HTTP/1.1 200") and (not self._is_stream or DONE in self._read[-200:])
        self._run.errors += not is_good
        if now < self._run.until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if time.perf_counter() < self._run.until:
            self._run.errors += 1
        if not self.closed.done():
            self.closed.set_result(None)


async def load(host: str, port: int, connections: int, seconds: float, request: bytes) -> dict[str, Any]:
    loop, run = asyncio.get_running_loop(), Run(request, seconds)
    began = time.perf_counter()
    pairs = [await loop.create_connection(lambda: Connection(run), host, port) for _ in range(connections)]
    await asyncio.gather(*(connection.closed for _, connection in pairs))
    times = sorted(run.times)
    percentiles = {
        f"p{part}_ms": times[min(len(times) - 1, len(times) * part // 100)] for part in (50, 95, 99) if times
    }
    return {"requests": len(times), "seconds": time.perf_counter() - began, "errors": run.errors, **percentiles}


if __name__ == "__main__":
    import uvloop

    host, port, connections, seconds = sys.argv[1:]
    asked = load(host, int(port), int(connections), float(seconds), sys.stdin.buffer.read())
    print(json.dumps(uvloop.run(asked)))
