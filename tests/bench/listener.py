"""Many streams open at once: when each event came, beside when it was sent.

`python -m tests.bench.listener PORT STREAMS EVENTS RATE FILE` reads the request's bytes from the file,
opens the streams one after the other, and counts what was sent while all were open. Prints
``events`` (all), ``p50_ms`` and ``p99_ms`` (from the upstream's writing to our reading), and
``gap_p99_ms``: by how much the pause between two events of a stream has grown on its way.
"""

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.upstream import STAMP

SENT_AT = re.compile(STAMP.encode() + rb"(\d+)")
DONE = b"data: [DONE]"
OPENING_SECONDS = 2.0
SETTLING_SECONDS = 1.0
NANOS_IN_MS = 1e6


class Ear:
    """What all streams have heard: delay and growth of the pause for each event, in ns."""

    def __init__(self) -> None:
        self.events = 0
        self.finished = 0
        self.counts_from = self.counts_until = 0
        self.delays: list[int] = []
        self.growths: list[int] = []

    def counts(self, sent: int) -> bool:
        return self.counts_from <= sent < self.counts_until


class Stream(asyncio.Protocol):
    def __init__(self, ear: Ear, request: bytes) -> None:
        self._ear, self._request = ear, request
        self._rest = b""
        self._last: tuple[int, int] | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now, ear = time.monotonic_ns(), self._ear
        whole, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        for found in SENT_AT.findall(whole):
            sent = int(found)
            ear.events += 1
            if ear.counts(sent):
                ear.delays.append(now - sent)
                if self._last:
                    ear.growths.append(now - self._last[0] - (sent - self._last[1]))
            self._last = now, sent
        if DONE in whole:
            ear.finished += 1
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def listen(port: int, streams: int, events: int, rate: int, request: bytes) -> dict[str, Any]:
    loop, ear = asyncio.get_running_loop(), Ear()
    began = time.monotonic()
    ear.counts_from = int((began + OPENING_SECONDS + SETTLING_SECONDS) * 1e9)
    ear.counts_until = int((began + events / rate) * 1e9)
    opened = []
    for number in range(streams):
        await asyncio.sleep(began + OPENING_SECONDS * number / streams - time.monotonic())
        opened.append((await loop.create_connection(lambda: Stream(ear, request), "127.0.0.1", port))[1])
    await asyncio.gather(*(stream.closed for stream in opened))
    return {
        "events": ear.events,
        "errors": streams - ear.finished,
        "seconds": time.monotonic() - began,
        "p50_ms": percentile(ear.delays, 50),
        "p99_ms": percentile(ear.delays, 99),
        "gap_p99_ms": percentile(ear.growths, 99),
    }


def percentile(nanos: list[int], percent: int) -> float:
    return sorted(nanos)[min(len(nanos) - 1, len(nanos) * percent // 100)] / NANOS_IN_MS if nanos else 0.0


if __name__ == "__main__":
    import uvloop

    *numbers, file = sys.argv[1:]
    print(json.dumps(uvloop.run(listen(*map(int, numbers), Path(file).read_bytes()))))
