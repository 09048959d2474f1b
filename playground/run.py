"""The Playground's own call: the same journey as `/v1`, for a signed-in person instead of a key.

The page never holds a key. The organization's Playground key has no secret; its budgets
and the wallet hold for it as for any other.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_POST

from accounts.keys import KeyRecord, build_record, playground_key
from playground.bodies import SENT, read_body
from routing import endpoints, sse
from routing.call import Call
from routing.entrance import CountedRefusals, check_key, check_rate, check_sight, explain, open_runtime
from routing.errors import GatewayError
from routing.gateway import Journey
from routing.ids import make_request_id
from routing.requests import check_chat, parse_chat
from routing.runtime import Runtime

MOST_RUNNING = 6
"""Answers a person may have at once in this process: three side by side, and as many that were just stopped."""
CLIENT_CLOSED_REQUEST = 499
"""What nginx calls an answer that nobody waits for any more."""
QUEUED_PIECES = 8
"""Reads of the provider, 128 KB each at the most."""


running: Counter[int | None] = Counter()
"""Person → answers that run for them; touched by the one event loop alone."""


class PageClient:
    """The journey's client inside a Django response: pieces wait in a short queue for the browser."""

    def __init__(self) -> None:
        self.has_left = False
        self.has_started = False
        self.blocked_since: float | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.began = asyncio.Event()
        self._is_ended = False
        self.is_gone = False
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED_PIECES)

    async def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.has_started = True
        self.headers = list(headers)
        self.began.set()

    async def send(self, piece: bytes) -> None:
        if self.is_gone:
            return
        self.blocked_since = time.monotonic()
        try:
            await self._pieces.put(piece)
        finally:
            self.blocked_since = None

    async def finish(self, piece: bytes) -> None:
        await self.send(piece)

    def comment(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        if not self.has_started:
            self.has_started, self.headers = True, list(headers)
            self.began.set()
        if not self._pieces.full():
            self._pieces.put_nowait(sse.KEEP_ALIVE)

    def leave(self) -> None:
        """Say that nobody takes the pieces any more: whoever waits to add one, or for the first, goes on."""
        self.is_gone = True
        self.began.set()
        while not self._pieces.empty():
            self._pieces.get_nowait()

    def end(self) -> None:
        """Say that no piece follows those that wait."""
        self._is_ended = True
        self.began.set()
        if self._pieces.empty():
            self._pieces.put_nowait(None)  # wakes the reader

    async def pieces(self) -> AsyncIterator[bytes]:
        while not (self._is_ended and self._pieces.empty()):
            if piece := await self._pieces.get():
                yield piece


class JourneyResponse(StreamingHttpResponse):
    """Tells the journey when the browser is gone: Django closes the response then, in a thread."""

    def __init__(self, client: PageClient, journey: Journey) -> None:
        super().__init__(client.pieces(), content_type="text/event-stream; charset=utf-8")
        self._loop = asyncio.get_running_loop()
        self._client, self._journey = client, journey

    def close(self) -> None:
        super().close()
        self._loop.call_soon_threadsafe(_leave, self._client, self._journey)


def _leave(client: PageClient, journey: Journey) -> None:
    journey.note_client_left()
    client.leave()


@require_POST
async def run(request: HttpRequest) -> HttpResponseBase:
    """Answer one Playground call: a stream of events, or an error as JSON."""
    request_id = make_request_id()
    try:
        response = await _run(request, request_id)
    except Exception as found:
        error = explain(found)
        content = error.body(str(request_id), f"{settings.SMARTOKEN_URL}/docs/errors/")
        response = JsonResponse(content, status=error.status)
    response["X-Request-Id"] = str(request_id)
    response["Cache-Control"] = "no-store"
    return response


async def _run(request: HttpRequest, request_id: UUID) -> HttpResponseBase:
    key = await sync_to_async(_find_key)(request)
    runtime = open_runtime()
    check_sight(runtime)
    with CountedRefusals(runtime, key, request_id):
        check_key(key, request.META["REMOTE_ADDR"])
        check_rate(await runtime.rates.hit(key))
        client = PageClient()
        call = _read_call(request, request_id, key, runtime)
        if running[key.user_id] >= MOST_RUNNING:
            raise GatewayError("rate_limit_exceeded", "So many of your answers are still running: stop one first.")
        left = request.scope["left"]  # type: ignore[attr-defined]
        return await _start(Journey(runtime, call, client), client, left, key.user_id)


def _read_call(request: HttpRequest, request_id: UUID, key: KeyRecord, runtime: Runtime) -> Call:
    """Return what the page asks for. Raises GatewayError."""
    raw = read_body(request)
    asked = parse_chat(raw).body
    body = {name: asked[name] for name in SENT if asked.get(name) is not None} | {"stream": True}
    chat = check_chat(body, len(raw))
    return Call(
        id=request_id,
        key=key,
        chat=chat,
        model=endpoints.find_model(runtime.snapshot, key, chat.model),
        own_address=tuple(request.scope["server"]),  # type: ignore[attr-defined]
    )


def _find_key(request: HttpRequest) -> KeyRecord:
    membership = getattr(request, "membership", None)
    if not request.user.is_authenticated or membership is None:
        raise GatewayError("invalid_api_key", "Sign in to use the Playground.")
    key = playground_key(organization=membership.organization, user=request.user)
    return build_record(key, user=request.user)


async def _start(journey: Journey, client: PageClient, left: asyncio.Event, user_id: int | None) -> HttpResponseBase:
    """Run the journey in a task of its own: the view ends when the answer begins, or when the browser leaves."""
    running[user_id] += 1  # at once: many calls may wait here for the loop
    task = asyncio.ensure_future(_run_journey(journey, client, user_id))
    leaving = asyncio.ensure_future(_note_leaving(left, journey, client))
    try:
        await client.began.wait()
    finally:
        leaving.cancel()
    if client.is_gone:
        return HttpResponse(status=CLIENT_CLOSED_REQUEST)
    if not client.has_started and (error := await task):
        raise error
    response = JourneyResponse(client, journey)
    for name, value in client.headers:
        if name != b"content-type":
            response[name.decode()] = value.decode()
    return response


async def _note_leaving(left: asyncio.Event, journey: Journey, client: PageClient) -> None:
    await left.wait()
    _leave(client, journey)


async def _run_journey(journey: Journey, client: PageClient, user_id: int | None) -> GatewayError | None:
    try:
        await journey.run()
    except Exception as error:
        return explain(error)
    finally:
        client.end()
        running[user_id] -= 1
        if not running[user_id]:
            del running[user_id]
    return None
