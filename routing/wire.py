"""`/v1` as an ASGI application: what comes in over HTTP, and what goes out.

No Django request, session, middleware or cookie here. Whatever happens, the client
gets OpenAI's error shape: uvicorn's own plain text is never seen.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from typing import Any, cast
from uuid import UUID

import orjson
from django.conf import settings

from accounts.keys import KeyRecord
from accounts.ratelimit import RateState
from routing import endpoints, sse
from routing.call import Call
from routing.entrance import CountedRefusals, check_key, check_rate, check_sight, explain, open_runtime
from routing.errors import GatewayError
from routing.explanations import explain_key
from routing.gateway import Journey
from routing.ids import make_request_id
from routing.network import client_address, is_secure
from routing.replays import read_claim
from routing.requests import parse_chat
from routing.runtime import Runtime
from routing.tags import read_tag

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

CLIENT_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

EXPOSED = (
    "x-request-id, retry-after, x-should-retry, "
    "x-smartoken-daily-spent-usd, x-smartoken-daily-held-usd, x-smartoken-daily-left-usd, x-smartoken-daily-resets-at, "
    "x-smartoken-monthly-spent-usd, x-smartoken-monthly-held-usd, x-smartoken-monthly-left-usd, "
    "x-smartoken-monthly-resets-at, "
    "x-smartoken-output-limit, x-smartoken-dropped, x-smartoken-json-schema, x-smartoken-demo, "
    "x-ratelimit-limit-requests, "
    "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-client-request-id, x-smartoken-replayed, "
    "x-smartoken-original-request"
)
CORS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED.encode()),
]
"""For browsers alone: the server looks through each byte of a header."""
NO_STORE = (b"cache-control", b"no-store")


class Disconnected(Exception):
    """The client left while its body was still coming."""


class Exchange:
    """One HTTP exchange: its ids and headers, and the answer in the shape the ASGI server wants."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.request_id: UUID = make_request_id()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.out: Headers = [(b"x-request-id", str(self.request_id).encode()), NO_STORE]
        if b"origin" in self.headers:
            self.out += CORS
        client_id = self.headers.get(b"x-request-id", b"")
        self.client_request_id = client_id.decode() if CLIENT_REQUEST_ID.fullmatch(client_id) else ""
        if self.client_request_id:
            self.out.append((b"x-client-request-id", client_id))
        if settings.SECURE:
            self.out.append((b"strict-transport-security", b"max-age=31536000"))
        self.body_size = 0
        """Bytes that have come of the body."""
        self._send = send
        # As the journey's client:
        self.has_left = False
        self.has_started = False
        self.has_finished = False
        self.blocked_since: float | None = None
        self._comment: asyncio.Task[None] | None = None

    async def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.has_started = True
        await self._send({"type": "http.response.start", "status": status, "headers": [*self.out, *headers]})

    async def send(self, piece: bytes) -> None:
        """Send a piece of the body; only whole events, so that a comment may stand between two pieces."""
        await self._send_body(piece, more=True)

    async def finish(self, piece: bytes) -> None:
        """Send the last piece."""
        self.has_finished = True
        await self._send_body(piece, more=False)

    async def _send_body(self, piece: bytes, more: bool) -> None:
        self.blocked_since = time.monotonic()
        try:
            if self._comment:
                # Shielded: whoever gives this wait up must not cut the comment in half.
                await asyncio.shield(self._comment)
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        finally:
            self.blocked_since = None

    def comment(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep a silent stream alive, beside the journey that waits for its provider."""
        if self._comment is None or self._comment.done():
            self._comment = asyncio.get_running_loop().create_task(self._send_comment(headers))

    async def _send_comment(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        if not self.has_started:
            await self.start(200, headers)
        await self._send({"type": "http.response.body", "body": sse.KEEP_ALIVE, "more_body": True})

    async def send_json(self, status: int, content: Any, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        body = orjson.dumps(content)
        about = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.start(status, [*headers, *about])
        await self.finish(b"" if self.method == "HEAD" else body)

    async def send_error(self, error: GatewayError, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        content = error.body(str(self.request_id), f"{settings.SMARTOKEN_URL}/docs/errors/")
        await self.send_json(error.status, content, [*headers, *error.headers()])


async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of everything under `/v1`."""
    exchange = Exchange(scope, receive, send)
    try:
        await _route(exchange)
    except Disconnected:
        return
    except Exception as error:
        await _fail(exchange, explain(error))


async def _fail(exchange: Exchange, error: GatewayError) -> None:
    """Send the error; where an answer is already under way, leave it unfinished: the body is cut."""
    if not exchange.has_started:
        await exchange.send_error(error, error.extra_headers)


async def _route(exchange: Exchange) -> None:
    if exchange.method == "OPTIONS":
        await _answer_preflight(exchange)
        return
    if settings.SECURE and not is_secure(exchange.scope, exchange.headers):
        raise GatewayError("https_required")
    runtime = open_runtime()
    path = exchange.path.rstrip("/") or "/v1"
    if path == "/v1" and exchange.method in ("GET", "HEAD"):
        about = {"object": "gateway", "name": "SmarToken", "docs": f"{settings.SMARTOKEN_URL}/docs/"}
        await exchange.send_json(200, about)
    elif path == "/v1/chat/completions" and exchange.method == "POST":
        await _chat(exchange, runtime)
    elif exchange.method in ("GET", "HEAD") and (path in ("/v1/models", "/v1/key") or path.startswith("/v1/models/")):
        await _read(exchange, runtime, path)
    else:
        raise endpoints.explain(exchange.method, path)


async def _answer_preflight(exchange: Exchange) -> None:
    asked = exchange.headers.get(b"access-control-request-headers", b"authorization, content-type")
    await exchange.start(
        204,
        [
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (b"access-control-allow-headers", asked[:2000]),
            (b"access-control-max-age", b"86400"),
        ],
    )
    await exchange.finish(b"")


async def _read(exchange: Exchange, runtime: Runtime, path: str) -> None:
    key = await _find_key(exchange, runtime)
    if path == "/v1/models":
        content: Any = endpoints.list_models(runtime.snapshot, key)
    elif path == "/v1/key":
        content = await runtime.reader.run(endpoints.describe_key, key)
    else:
        content = endpoints.show_model(runtime.snapshot, key, path.removeprefix("/v1/models/"))
    await exchange.send_json(200, content)


async def _chat(exchange: Exchange, runtime: Runtime) -> None:
    """Key first, then the body: nobody unknown may make the server read 32 MB."""
    key = await _find_key(exchange, runtime)
    with CountedRefusals(runtime, key, exchange.request_id):
        rate = await runtime.rates.hit(key)
        exchange.out += describe_rate(rate)
        check_rate(rate)
        await _chat_with_key(exchange, runtime, key)


async def _chat_with_key(exchange: Exchange, runtime: Runtime, key: KeyRecord) -> None:
    try:
        body = await _read_body(exchange, runtime)
        chat = parse_chat(body)
        claim = read_claim(exchange.headers.get(b"idempotency-key"), path=exchange.path.rstrip("/"), body=body)
        del body  # a long prompt is kept once: as what was parsed
        model = endpoints.find_model(runtime.snapshot, key, chat.model)
        call = Call(
            id=exchange.request_id,
            key=key,
            chat=chat,
            model=model,
            own_address=tuple(exchange.scope["server"]),
            client_request_id=exchange.client_request_id,
            sdk_retry=_read_sdk_retry(exchange.headers),
            tag=read_tag(exchange.headers.get(b"x-smartoken-tag"), chat.body.get("metadata")),
            may_lower=exchange.headers.get(b"x-smartoken-lower-limit") == b"1",
            claim=claim,
        )
        await _watch(exchange, Journey(runtime, call, exchange))
    finally:
        runtime.body_bytes -= exchange.body_size


async def _watch(exchange: Exchange, journey: Journey) -> None:
    """Run the journey beside exactly one receive(): the server itself never says that a client has left."""
    watcher = asyncio.get_running_loop().create_task(cast(Coroutine[Any, Any, Message], exchange.receive()))

    def note(future: "asyncio.Future[Message]") -> None:
        if not future.cancelled() and not exchange.has_finished:
            journey.note_client_left()

    watcher.add_done_callback(note)
    try:
        await journey.run()
    finally:
        if not exchange.has_finished:  # else the server ends it
            watcher.cancel()


def _read_sdk_retry(headers: dict[bytes, bytes]) -> int:
    count = headers.get(b"x-stainless-retry-count", b"")
    return int(count) if count.isdigit() and len(count) < 4 else 0


def describe_rate(rate: RateState | None) -> Headers:
    """Return OpenAI's rate limit headers; none for a key without a limit."""
    if rate is None:
        return []
    seconds = int(rate.reset_seconds) + 1
    reset = f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"
    return [
        (b"x-ratelimit-limit-requests", str(rate.limit).encode()),
        (b"x-ratelimit-remaining-requests", str(rate.remaining).encode()),
        (b"x-ratelimit-reset-requests", reset.encode()),
    ]


# --- key and body ----------------------------------------------------------


def read_secret(headers: dict[bytes, bytes]) -> str:
    """Return the secret from ``Authorization: Bearer`` in any case, ``x-api-key`` or ``api-key``; '' if none."""
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and value.strip():
        return value.strip().decode("latin-1")
    for name in (b"x-api-key", b"api-key"):
        if headers.get(name, b"").strip():
            return headers[name].strip().decode("latin-1")
    return ""


async def _find_key(exchange: Exchange, runtime: Runtime) -> KeyRecord:
    """Return the key that the client sent. Raises GatewayError."""
    secret = read_secret(exchange.headers)
    if not secret and exchange.headers.get(b"authorization"):
        raise GatewayError("invalid_api_key", "The Authorization header takes the word Bearer, then the key.")
    if not secret:
        raise GatewayError(
            "invalid_api_key", "No API key was sent. Send it as `Authorization: Bearer sk-smt-…`, never in the address."
        )
    check_sight(runtime)
    key = runtime.keys.remember(secret) or await _look_up(secret, exchange, runtime)
    with CountedRefusals(runtime, key, exchange.request_id):
        check_key(key, client_address(exchange.scope, exchange.headers))
    return key


async def _look_up(secret: str, exchange: Exchange, runtime: Runtime) -> KeyRecord:
    """Return the key of a secret that memory does not hold; whoever only guesses is stopped. Raises GatewayError."""
    address = client_address(exchange.scope, exchange.headers)
    # Whoever shares an address with a guesser goes on with the key that worked before.
    if runtime.rates.is_guessing(address) and not runtime.keys.has_met(secret):
        problem = "Too many wrong API keys came from your address; wait a minute."
        raise GatewayError("rate_limit_exceeded", problem, details={"limit_source": "wrong_keys"}, retry_after=60)
    key = await runtime.keys.find(secret)
    if key is None:
        runtime.rates.note_guess(address)
        raise GatewayError("invalid_api_key", explain_key(secret))
    return key


async def _read_body(exchange: Exchange, runtime: Runtime) -> bytes:
    """Return the body. Raises GatewayError when it is too large or too slow, Disconnected when it breaks off."""
    _check_announced(exchange.headers)
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(settings.BODY_SECONDS):
            while True:
                message = await exchange.receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                _count_part(exchange, runtime, message.get("body", b""), parts)
                if not message.get("more_body"):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise GatewayError("body_timeout") from None


def _count_part(exchange: Exchange, runtime: Runtime, part: bytes, parts: list[bytes]) -> None:
    parts.append(part)
    exchange.body_size += len(part)
    runtime.body_bytes += len(part)
    if exchange.body_size > settings.BODY_LIMIT_BYTES:
        raise _too_large()
    if runtime.body_bytes > settings.BODIES_IN_FLIGHT_BYTES:
        raise GatewayError("overloaded", "Too many large requests at once.", retry_after=2)


def _check_announced(headers: dict[bytes, bytes]) -> None:
    """Raise GatewayError for a body that need not even be read."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise GatewayError("invalid_request", "Send the body as it is, without a content-encoding.")
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > settings.BODY_LIMIT_BYTES:
        raise _too_large()


def _too_large() -> GatewayError:
    return GatewayError("request_too_large", f"The body may have {settings.BODY_LIMIT_BYTES // 2**20} MB at the most.")
