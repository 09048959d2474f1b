"""Waiting for the ledger so long, and no longer.

Waits of one kind are all equally long, and end in the order in which they began: one timer
does for all of them, where ``asyncio.wait_for`` takes a timer, a future and a context for each.
"""

import asyncio
from collections import deque
from typing import Any


class Deadline:
    """So many seconds for each of many futures, all of one loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def bound[T](self, future: "asyncio.Future[T]") -> "asyncio.Future[T]":
        """Return the future, which raises TimeoutError unless it ends in time."""
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        loop = future.get_loop()
        self._waiting.append((loop.time() + self._seconds, future))
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._end_late, loop)
        return future

    def _end_late(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= loop.time()):
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(TimeoutError())
        self._timer = loop.call_at(self._waiting[0][0], self._end_late, loop) if self._waiting else None
