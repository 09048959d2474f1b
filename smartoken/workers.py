"""Threads in which pages are made. They stay, and with each its connection to the database.

Django gives each request a thread of its own, which ends with it: its next page would open a connection
anew, and to PostgreSQL that takes longer than most pages do.
"""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from asgiref.sync import ThreadSensitiveContext
from django.db import connections

KEPT = 8
"""So many wait for the next page; what a rush needs beyond them ends with it."""


class Workers:
    """Each makes one page at a time. Any number may be at work: the one that was last is the next."""

    def __init__(self) -> None:
        self._idle: list[ThreadPoolExecutor] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[None]:
        """Let all that is sync within run in one of the threads."""
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page")
        try:
            async with ThreadSensitiveContext(executor=worker):
                yield
        finally:
            if len(self._idle) < KEPT:
                self._idle.append(worker)
            else:
                _end(worker, wait=False)

    def stop(self) -> None:
        """End those that wait, and return when they have ended."""
        while self._idle:
            _end(self._idle.pop(), wait=True)


def _end(worker: ThreadPoolExecutor, *, wait: bool) -> None:
    worker.submit(connections.close_all)  # in its own thread: each has connections of its own
    worker.shutdown(wait=wait)
