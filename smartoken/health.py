"""`/health/live` and `/health/ready` for load balancers and scripts."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from routing.runtime import get_runtime


async def answer(scope: MutableMapping[str, Any], send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
    """Live: the process answers. Ready: it takes requests, and its ledger threads and database are well."""
    runtime = get_runtime()
    known = scope["path"] in ("/health/live", "/health/ready")
    well = scope["path"] == "/health/live" or bool(runtime and runtime.is_ready)
    status, text = (200, b"ok\n") if known and well else (503, b"not ready\n") if known else (404, b"not found\n")
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text})
