"""The ASGI entry: `/v1` and the demo provider by themselves, pages by Django."""

import asyncio
import fcntl
import gc
import os
import signal
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from types import FrameType
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartoken.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402

from routing import demo  # noqa: E402
from routing.endpoints import is_slip  # noqa: E402
from routing.network import settle_scope  # noqa: E402
from routing.runtime import Runtime, get_runtime, set_runtime  # noqa: E402
from routing.wire import gateway  # noqa: E402
from smartoken import health  # noqa: E402
from smartoken.pages import answer_page, workers  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    path = scope["path"]
    if path.startswith(demo.PATH):
        await demo.demo_provider(scope, receive, send)
    elif path == "/v1" or path.startswith("/v1/") or is_slip(path):
        await gateway(scope, receive, send)
    elif path.startswith("/health/"):
        await health.answer(scope, send)
    else:
        await answer_page(settle_scope(scope), receive, send)


async def _live(receive: Receive, send: Send) -> None:
    """Start the gateway's services before the first request; end them when the last has been answered."""
    await receive()
    try:
        lock = _lock_data()
        runtime = Runtime()
        await runtime.start()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": f"can't start: {error}"})
        return
    set_runtime(runtime)
    _chain_signals(runtime)
    _spare_collector()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await runtime.stop()
    await asyncio.to_thread(workers.stop)
    set_runtime(None)
    if lock is not None:
        os.close(lock)
    await send({"type": "lifespan.shutdown.complete"})


def _lock_data() -> int | None:
    """Refuse a second gateway process on SQLite: it has one writer, and limits are kept per process."""
    if not settings.EMBEDDED:
        return None
    lock = os.open(settings.DATA_DIR / "gateway.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise RuntimeError(
            f"another gateway runs on {settings.DATA_DIR}; SQLite serves one process: stop it, or set DATABASE_URL"
        ) from None
    return lock


def _spare_collector() -> None:
    """Leave what was loaded to the process's end out of the garbage collector's rounds, and let them be fewer."""
    if threading.current_thread() is threading.main_thread():  # else a test's server, beside others' objects
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000)


def _chain_signals(runtime: Runtime) -> None:
    """Start draining at the very signal at which the server stops to listen."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        earlier = signal.getsignal(number)

        def drain(number: int, frame: FrameType | None, earlier: Any = earlier) -> None:
            loop.call_soon_threadsafe(runtime.begin_drain)
            if callable(earlier):
                earlier(number, frame)

        try:
            signal.signal(number, drain)
        except ValueError:
            return  # not in the main thread: a test's server, which stops by itself


__all__ = ["application", "get_runtime"]
