"""So many calls at once to an upstream, per process, and a short queue before it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from routing.dialects.faults import UpstreamFault
from routing.snapshot import UpstreamRecord

QUEUE_SECONDS = 2.0
MAX_WAITING = 100


@dataclass(slots=True)
class _Line:
    taken: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Slots:
    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def taken(self, upstream: str) -> int:
        """Return how many calls to an upstream with a limit run now."""
        line = self._lines.get(upstream)
        return line.taken if line else 0

    @property
    def is_empty(self) -> bool:
        return not self._lines

    @asynccontextmanager
    async def place(self, upstream: UpstreamRecord) -> AsyncIterator[None]:
        """Hold one of the upstream's places. Raises UpstreamFault ``busy`` where none gets free in time."""
        if upstream.max_parallel is None:
            yield
            return
        line = self._lines.setdefault(upstream.slug, _Line())
        try:
            await self._enter(line, upstream.max_parallel)
            try:
                yield
            finally:
                _leave(line)
        finally:
            if not line.taken and not line.waiting and self._lines.get(upstream.slug) is line:
                del self._lines[upstream.slug]

    async def _enter(self, line: _Line, limit: int) -> None:
        if line.taken < limit:
            line.taken += 1
            return
        if len(line.waiting) >= MAX_WAITING:
            raise _busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                _leave(line)  # the place came in the moment in which the wait ended
            elif turn in line.waiting:
                line.waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise _busy() from None
            raise


def _leave(line: _Line) -> None:
    """Hand the place to the first who still waits, else free it."""
    while line.waiting:
        turn = line.waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return
    line.taken -= 1


def _busy() -> UpstreamFault:
    return UpstreamFault("overloaded", "busy", was_sent=False)
