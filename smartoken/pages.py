"""Django's pages behind the ASGI entry, each run to the beginning of its answer."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.core.handlers.asgi import ASGIHandler

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LISTENING = "/playground/run/"
"""The page that must hear at once that its client left: it runs a journey, and holds no thread meanwhile."""

_handler = ASGIHandler()


async def answer_page(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Let Django answer; tell it of a client that left only once the answer has begun.

    Django gives up a request whose client leaves, but can't stop the thread that works on it: the thread
    would go on after the request's end and open a database connection that nobody closes.
    """
    if scope["path"] == LISTENING:
        await _handler(scope, receive, send)  # type: ignore[arg-type]
        return
    is_read = False
    begun = asyncio.Event()

    async def receive_late() -> Message:
        nonlocal is_read
        message = await receive()
        if message["type"] == "http.disconnect" and is_read:
            await begun.wait()
        is_read = not message.get("more_body", False)
        return message

    async def send_on(message: Message) -> None:
        begun.set()
        await send(message)

    await _handler(scope, receive_late, send_on)  # type: ignore[arg-type]
