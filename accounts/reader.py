"""Database reads of the gateway: a thread and a connection of their own that reconnect.

`/v1` runs outside Django's request signals, so a connection of the ORM that broke
would stay broken for ever.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import InterfaceError, OperationalError, connection


class Reader:
    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the function returns, called in the reader's thread; once more after a lost connection."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: _call(function, *args, **kwargs))

    def stop(self) -> None:
        self._pool.submit(lambda: connection.close())  # looked up there: each thread has its own
        self._pool.shutdown()


def _call[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return function(*args, **kwargs)
    except (OperationalError, InterfaceError):
        connection.close()
        return function(*args, **kwargs)
