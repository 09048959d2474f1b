"""The floor: our server, our transport, and nothing in between. No key, no money, nothing parsed.

`UPSTREAM` in the environment is the address of /chat/completions. The session is made as
``routing.upstream`` makes it, so that the difference to the gateway is the gateway.
"""

import os
from typing import Any

import aiohttp
from yarl import URL

UPSTREAM = URL(os.environ.get("UPSTREAM", "http://127.0.0.1:1/"))
HEADERS = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "floor"}


def make_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=90),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers={"user-agent", "accept-encoding", "accept"},
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
    )


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _live(scope, receive, send)
        return
    if scope["method"] != "POST":
        await _answer(send, b"text/plain", b"")
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    response = await scope["state"]["session"].request(
        "POST", UPSTREAM, headers=HEADERS, data=body, allow_redirects=False
    )
    kind = response.headers["content-type"].encode()
    if "content-length" in response.headers:
        await _answer(send, kind, await response.read())
    else:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        while read := await response.content.readany():
            await send({"type": "http.response.body", "body": read, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    response.release()


async def _answer(send: Any, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    scope["state"]["session"] = session = make_session()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await session.close()
    await send({"type": "lifespan.shutdown.complete"})
