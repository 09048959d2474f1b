"""Many clients at once, on one event loop of the test's own."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.gateway.callers import chat_body


@dataclass
class Heard:
    """What one client heard: the status, and the pieces of the body with the time at which each came."""

    status: int = 0
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    broke: str = ""
    request_id: str = ""

    @property
    def text(self) -> str:
        return b"".join(piece for _, piece in self.pieces).decode()

    def before(self, moment: float) -> str:
        """Return the text that had come by then."""
        return b"".join(piece for at, piece in self.pieces if at <= moment).decode(errors="replace")


def ask_at_once(urls: Sequence[str], secret: str, heard: Sequence[Heard], claim: str = "", **body: Any) -> None:
    """Send as many requests as there are listeners, to the addresses in turn; return when all have ended.

    ``claim``: the Idempotency-Key of all of them.
    """
    headers = {"authorization": f"Bearer {secret}"} | ({"idempotency-key": claim} if claim else {})
    asyncio.run(_ask_all(urls, headers, heard, body))


async def _ask_all(urls: Sequence[str], headers: dict[str, str], heard: Sequence[Heard], body: dict[str, Any]) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await asyncio.gather(*[_ask(session, urls[number % len(urls)], one, body) for number, one in enumerate(heard)])


async def _ask(session: aiohttp.ClientSession, url: str, heard: Heard, body: dict[str, Any]) -> None:
    try:
        async with session.post(f"{url}/v1/chat/completions", json=chat_body(body)) as response:
            heard.status, heard.request_id = response.status, response.headers["x-request-id"]
            async for piece in response.content.iter_any():
                heard.pieces.append((time.monotonic(), piece))
    except aiohttp.ClientError as error:
        heard.broke = type(error).__name__
