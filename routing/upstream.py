"""Calling an upstream over HTTP: one function, and what each way of failing means.

The transport is called directly with a prepared ``httpx.Request``: a client around
it would cost as much as the rest of the gateway.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

import aiohttp
import httpx
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from httpx_aiohttp import AiohttpTransport

from routing import addresses, demo
from routing.credentials import CredentialError, read_credential
from routing.dialects.base import Dialect, UpstreamFault, clean_text
from routing.dialects.parsing import parse_json
from routing.snapshot import RouteRecord, UpstreamRecord

MAX_ERROR_BYTES = 65_536
MAX_ANSWER_BYTES = 64 * 1024 * 1024
END_SECONDS = 1.0
PIECE_BYTES = 262_144
KEEP_ALIVE_SECONDS = 90
DNS_CACHE_SECONDS = 300
COMMON_HEADERS = (("accept-encoding", "identity"), ("user-agent", "SmarToken/1"))
REST_SECONDS = 1.0
"""The first rest of an upstream that could not be reached, or broke."""

# httpx-aiohttp reports most of these as ConnectTimeout: only the cause tells them apart.
# In order: the first class that fits. (class, reason, code, the provider may have got the request)
FAILURES: list[tuple[type[BaseException], str, str, bool]] = [
    (aiohttp.ClientConnectorDNSError, "dns", "upstream_error", False),
    (aiohttp.ClientConnectorCertificateError, "certificate", "upstream_error", False),
    (aiohttp.ClientConnectorError, "connect", "upstream_error", False),
    (aiohttp.ClientProxyConnectionError, "proxy", "upstream_error", False),
    (aiohttp.ClientHttpProxyError, "proxy", "upstream_error", False),
    (aiohttp.ConnectionTimeoutError, "connect_timeout", "upstream_timeout", False),
    (aiohttp.SocketTimeoutError, "read_timeout", "upstream_timeout", True),
    (aiohttp.ServerTimeoutError, "read_timeout", "upstream_timeout", True),
    (aiohttp.InvalidURL, "bad_address", "upstream_error", False),
    (aiohttp.ServerDisconnectedError, "disconnected", "upstream_error", True),
    (aiohttp.ClientPayloadError, "cut", "upstream_error", True),
    (aiohttp.ClientError, "connection", "upstream_error", True),
    (ConnectionError, "connection", "upstream_error", True),
    (TimeoutError, "timeout", "upstream_timeout", True),
]
KNOWN = tuple(class_ for class_, *_ in FAILURES)


def classify(error: BaseException) -> UpstreamFault:
    """Return what an exception of the transport means."""
    cause = error.__cause__ or error
    if isinstance(cause, aiohttp.ClientConnectorError) and isinstance(cause.os_error, AddressRefusedError):
        return UpstreamFault("upstream_error", "address_not_allowed", was_sent=False)
    if not isinstance(cause, KNOWN):
        cause = error  # a broken body's cause is the parser's own
    for class_, reason, code, was_sent in FAILURES:
        if isinstance(cause, class_):
            return UpstreamFault(code, reason, was_sent=was_sent, may_retry=not was_sent, rest_seconds=REST_SECONDS)
    return UpstreamFault("upstream_error", type(cause).__name__[:40], rest_seconds=REST_SECONDS)


class AddressRefusedError(OSError):
    """A host lies only where upstreams may not lie."""


class GuardedResolver(AbstractResolver):
    """Resolves a host only to addresses that upstreams may lie on."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [result for result in found if addresses.is_allowed(result["host"])]
        if not allowed:
            raise AddressRefusedError(None, "the host's address is not allowed for upstreams")
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


class Upstreams:
    """The connections of one process to all upstreams."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, bool], AiohttpTransport] = {}

    async def open(
        self, route: RouteRecord, dialect: Dialect, body: dict[str, Any], *, own_address: tuple[str, int]
    ) -> "UpstreamAnswer":
        """Send the request; return the answer once its headers say that it is one. Raises UpstreamFault.

        ``own_address`` is where this server was reached: the demo lies there.
        """
        request = _build_request(route, dialect, body, own_address)
        transport = self._transport(route.upstream)
        try:
            response = await transport.handle_async_request(request)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise classify(error) from None
        if response.status_code != 200:
            raise await _read_refusal(response, dialect)
        return UpstreamAnswer(response)

    async def fetch(self, upstream: UpstreamRecord, dialect: Dialect, url: str) -> Any:
        """Return the JSON at one of an upstream's own addresses, such as its list of models.

        Raises UpstreamFault. How long it may take is the caller's to say.
        """
        _check_literal(_parse_address(url).host)
        headers = [("accept", "application/json"), *COMMON_HEADERS, *dialect.headers(_read_credential(upstream))]
        request = httpx.Request("GET", url, headers=headers, extensions={"timeout": _timeouts()})
        try:
            response = await self._transport(upstream).handle_async_request(request)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise classify(error) from None
        if response.status_code != 200:
            raise await _read_refusal(response, dialect)
        answer = UpstreamAnswer(response)
        try:
            return parse_json(await answer.read_all())
        finally:
            await answer.close()

    def _transport(self, upstream: UpstreamRecord) -> AiohttpTransport:
        is_guarded = not (upstream.is_demo or upstream.proxy)
        place = (upstream.proxy, is_guarded)
        if place not in self._transports:
            proxy = httpx.Proxy(upstream.proxy) if upstream.proxy else None
            self._transports[place] = AiohttpTransport(client=lambda: _make_session(is_guarded), proxy=proxy)
        return self._transports[place]

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()


def _make_session(is_guarded: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        ttl_dns_cache=DNS_CACHE_SECONDS,
        resolver=GuardedResolver() if is_guarded else None,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers={"user-agent", "accept-encoding", "accept"},
        trust_env=False,
    )


def _build_request(
    route: RouteRecord, dialect: Dialect, body: dict[str, Any], own_address: tuple[str, int]
) -> httpx.Request:
    upstream = route.upstream
    base_url = demo.base_url(own_address) if upstream.is_demo else upstream.base_url
    credential = demo.secret() if upstream.is_demo else _read_credential(upstream)
    url = _parse_address(base_url + dialect.path)
    if not upstream.is_demo:
        _check_literal(url.host)
    headers = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream" if body.get("stream") else "application/json"),
        *COMMON_HEADERS,
        *dialect.headers(credential),
    ]
    try:
        content = orjson.dumps(body)
    except orjson.JSONEncodeError:  # what can be read can be nested too deeply to be written
        problem = "The body is nested too deeply."
        raise UpstreamFault("invalid_request", "nesting", problem, may_fail_over=False, was_sent=False) from None
    extensions = {"timeout": _timeouts()}
    if len(content) <= PIECE_BYTES:
        # Given as a stream, it gets no headers from httpx: aiohttp writes host and length itself.
        stream = httpx.ByteStream(content)
        request = httpx.Request("POST", url, headers=headers, stream=stream, extensions=extensions)
        request.read()
        return request
    headers.append(("content-length", str(len(content))))
    return httpx.Request("POST", url, headers=headers, stream=Pieces(content), extensions=extensions)


def _timeouts() -> dict[str, float | None]:
    # Each read's own limit is the gateway's ticker: one timer a process instead of one a read.
    return {"connect": settings.CONNECT_SECONDS, "read": None, "write": None, "pool": None}


class Pieces(httpx.AsyncByteStream):
    """A large body, handed out piece by piece, so that other requests get their turn."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), PIECE_BYTES):
            yield self._content[start : start + PIECE_BYTES]


def _read_credential(upstream: UpstreamRecord) -> str | None:
    try:
        credential = read_credential(upstream)
    except CredentialError:
        raise UpstreamFault("upstream_error", "credential_unreadable", was_sent=False) from None
    if credential is None and upstream.credential_env:
        raise UpstreamFault("upstream_error", "credential_missing", was_sent=False)
    return credential


@lru_cache(maxsize=1024)
def _parse_address(address: str) -> httpx.URL:
    return httpx.URL(address)


def _check_literal(host: str) -> None:
    """Refuse an address in the URL itself that no upstream may lie on."""
    if not _is_allowed_literal(host, settings.ALLOW_PRIVATE_UPSTREAMS):
        raise UpstreamFault("upstream_error", "address_not_allowed", was_sent=False)


@lru_cache(maxsize=1024)
def _is_allowed_literal(host: str, allow_private: bool) -> bool:
    """Tell whether an address in the URL itself may be called: those never reach the resolver.

    ``allow_private`` is the setting that ``addresses`` reads, named here so that each value has its own answer.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return addresses.is_allowed(host)


async def _read_refusal(response: httpx.Response, dialect: Dialect) -> UpstreamFault:
    body = b""
    try:
        async for read in response.aiter_bytes():
            body += read
            if len(body) > MAX_ERROR_BYTES:
                break
    except (httpx.HTTPError, aiohttp.ClientError, OSError):
        body = b""  # the status says enough
    finally:
        await response.aclose()
    if 300 <= response.status_code < 400:
        return UpstreamFault("upstream_error", "redirect", status=response.status_code)
    fault = dialect.read_error(response.status_code, body[:MAX_ERROR_BYTES])
    named = clean_text(response.headers.get("x-request-id", ""), 128)
    fault.provider_request_id = named or fault.provider_request_id
    retry_after = response.headers.get("retry-after", "")
    fault.retry_after = int(retry_after) if retry_after.isdecimal() and len(retry_after) < 6 else None
    return fault


class UpstreamAnswer:
    """An answer with status 200 whose body is still to be read."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.is_done = False
        """True when the provider has said that nothing follows; the end of the body may still come."""
        self.request_id = clean_text(response.headers.get("x-request-id", ""), 128)

    async def reads(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises UpstreamFault where it breaks."""
        encoded = "content-encoding" in self._response.headers
        source = self._response.aiter_bytes() if encoded else self._response.stream
        try:
            async for read in source:  # type: ignore[union-attr]
                yield read
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise classify(error) from None

    async def read_all(self) -> bytes:
        """Return the whole body. Raises UpstreamFault where it breaks or is absurdly long."""
        parts, size = [], 0
        async for read in self.reads():
            parts.append(read)
            size += len(read)
            if size > MAX_ANSWER_BYTES:
                raise UpstreamFault("upstream_error", "answer_too_large")
        return b"".join(parts)

    async def drain(self) -> None:
        """Read the body's end, which may come in a packet of its own, so that the connection is kept."""
        try:
            async with asyncio.timeout(END_SECONDS):
                async for _ in self._response.stream:  # type: ignore[union-attr]
                    pass
        except (httpx.HTTPError, aiohttp.ClientError, OSError):
            pass  # it goes on, or broke: hang up
        finally:
            await self.close()

    async def close(self) -> None:
        """Hang up; a connection whose answer was read to its end is kept for the next request."""
        try:
            await asyncio.shield(self._response.aclose())
        except (httpx.HTTPError, aiohttp.ClientError, OSError):
            return
