"""Django's pages behind the ASGI entry: bodies up to a length, each page run to the beginning of its answer."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from smartoken.workers import Workers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

STREAMING = "/playground/run/"
"""The page that runs a journey, and streams it."""


class PageHandler(ASGIHandler):
    """Runs middleware and view in one go, as under WSGI: async middleware hops between thread and loop."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response)(request)


_streaming_handler = ASGIHandler()
_handler = PageHandler()
workers = Workers()


async def answer_page(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Let Django answer, or refuse a body that is too long: Django would write any length of it to the disk."""
    length, is_refused = 0, False

    async def receive_bounded() -> Message:
        nonlocal length, is_refused
        message = await receive()
        length += len(message.get("body", b""))
        is_refused = is_refused or length > settings.BODY_LIMIT_BYTES
        return {"type": "http.disconnect"} if is_refused else message

    await _answer_to_the_end(scope, receive_bounded, send)
    if is_refused:
        await _refuse_length(send)


async def _answer_to_the_end(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Let Django answer; tell it of a client that left only once the answer has begun.

    Django gives up a request whose client leaves, but can't stop the thread that works on it: the thread
    would go on after the request's end and open a database connection that nobody closes. A view that
    waits for something else than the database may look at the event ``scope["left"]``.
    """
    is_read = False
    begun = asyncio.Event()
    left = scope["left"] = asyncio.Event()

    async def receive_late() -> Message:
        nonlocal is_read
        message = await receive()
        if message["type"] == "http.disconnect" and is_read:
            left.set()
            await begun.wait()
        is_read = not message.get("more_body", False)
        return message

    async def send_on(message: Message) -> None:
        begun.set()
        await send(message)

    if scope["path"] == STREAMING:
        await _stream_page(scope, receive_late, send_on)
        return
    async with workers.lend():
        await _handler(scope, receive_late, send_on)  # type: ignore[arg-type]


async def _refuse_length(send: Send) -> None:
    text = f"413: a page of this site takes no more than {settings.BODY_LIMIT_BYTES:,} bytes. Nothing was changed.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def _stream_page(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Let the page have a thread of its own, since what it began may outlive it; the thread's connections do not."""
    async with ThreadSensitiveContext():
        try:
            await _streaming_handler(scope, receive, send)  # type: ignore[arg-type]
        finally:
            await sync_to_async(connections.close_all)()
