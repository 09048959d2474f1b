"""Waiting for the ledger: for so long, without cancelling what is waited for.

``asyncio.wait_for`` around ``shield`` does the same with two more futures and a context
for each request.
"""

import asyncio
from functools import partial
from typing import Any


async def wait_within[T](future: "asyncio.Future[T]", seconds: float) -> T:
    """Return the future's result; it goes on when the wait is given up. Raises TimeoutError."""
    if not future.done():
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        wake = partial(_wake, waiter)
        timer = loop.call_later(seconds, wake)
        future.add_done_callback(wake)
        try:
            await waiter
        finally:
            timer.cancel()
            future.remove_done_callback(wake)
    if not future.done():
        raise TimeoutError
    return future.result()


def _wake(waiter: "asyncio.Future[None]", *_: Any) -> None:
    if not waiter.done():
        waiter.set_result(None)
