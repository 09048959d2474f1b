"""The floor: our server, our transport, and nothing in between. No key, no money, nothing parsed.

`UPSTREAM` in the environment is the address of /chat/completions. The session is made as
``routing.upstream`` makes it, so that the difference to the gateway is the gateway.
"""

import os
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

UPSTREAM = httpx.URL(os.environ.get("UPSTREAM", "http://127.0.0.1:1/"))
HEADERS = [("content-type", "application/json"), ("accept-encoding", "identity"), ("user-agent", "floor")]
EXTENSIONS = {"timeout": {"connect": 5.0, "read": None, "write": None, "pool": None}}


def make_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=90),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers={"user-agent", "accept-encoding", "accept"},
        trust_env=False,
    )


transport = AiohttpTransport(client=make_session)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    if scope["method"] != "POST":
        await _answer(send, b"text/plain", b"")
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    request = httpx.Request("POST", UPSTREAM, headers=HEADERS, content=body, extensions=EXTENSIONS)
    response = await transport.handle_async_request(request)
    kind = response.headers["content-type"].encode()
    if "content-length" in response.headers:
        await _answer(send, kind, b"".join([read async for read in response.stream]))  # type: ignore[union-attr]
    else:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        async for read in response.stream:  # type: ignore[union-attr]
            await send({"type": "http.response.body", "body": read, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    await response.aclose()


async def _answer(send: Any, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await transport.aclose()
    await send({"type": "lifespan.shutdown.complete"})
