"""Calling an upstream over HTTP: one function for all calls of a process; ``failures.py`` says what went wrong."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

import aiohttp
import orjson
from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from routing import addresses, demo
from routing.credentials import CredentialError, read_credential
from routing.dialects.base import Dialect, UpstreamFault, clean_text
from routing.dialects.parsing import parse_json
from routing.failures import AddressRefusedError, classify, operators_fault, read_retry_after
from routing.snapshot import RouteRecord, UpstreamRecord

MAX_ERROR_BYTES = 65_536
MAX_ANSWER_BYTES = 64 * 1024 * 1024
END_SECONDS = 1.0
PIECE_BYTES = 262_144
READ_BYTES = 32_768
RECEIVED_BYTES = 65_536
"""What may wait of one answer here and in the socket: a client that does not read must not cost more than 256 kB."""
KEEP_ALIVE_SECONDS = 90
DNS_CACHE_SECONDS = 300
COMMON_HEADERS = {"accept-encoding": "identity", "user-agent": "SmarToken/1"}

BROKEN = (aiohttp.ClientError, OSError)


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
        self._sessions: dict[tuple[str, bool], aiohttp.ClientSession] = {}

    async def open(
        self, route: RouteRecord, dialect: Dialect, body: dict[str, Any], *, own_address: tuple[str, int]
    ) -> "UpstreamAnswer":
        """Send the request; return the answer once its headers say that it is one. Raises UpstreamFault.

        ``own_address`` is where this server was reached: the demo lies there.
        """
        upstream = route.upstream
        url = _find_address(upstream, dialect, own_address)
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if body.get("stream") else "application/json",
            **COMMON_HEADERS,
            **dict(dialect.headers(demo.secret() if upstream.is_demo else _read_credential(upstream))),
        }
        content = _write(body)
        if len(content) > PIECE_BYTES:
            headers["content-length"] = str(len(content))
        data = content if len(content) <= PIECE_BYTES else _pieces(content)
        del content
        return await self._send("POST", url, upstream, dialect, headers, data)

    async def fetch(self, upstream: UpstreamRecord, dialect: Dialect, url: str) -> Any:
        """Return the JSON at one of an upstream's own addresses. Raises UpstreamFault."""
        address = _parse_address(url)
        _check_literal(address.host or "")
        headers = {
            "accept": "application/json",
            **COMMON_HEADERS,
            **dict(dialect.headers(_read_credential(upstream))),
        }
        answer = await self._send("GET", address, upstream, dialect, headers)
        try:
            return parse_json(await answer.read_all())
        finally:
            answer.close()

    async def _send(
        self,
        method: str,
        url: URL,
        upstream: UpstreamRecord,
        dialect: Dialect,
        headers: dict[str, str],
        data: bytes | AsyncIterator[memoryview] | None = None,
    ) -> "UpstreamAnswer":
        session = self._session(upstream)
        try:
            response = await session.request(method, url, headers=headers, data=data, allow_redirects=False)
        except BROKEN as error:
            raise classify(error) from None
        if response.status != 200:
            raise await _read_refusal(response, dialect)
        return UpstreamAnswer(response)

    def _session(self, upstream: UpstreamRecord) -> aiohttp.ClientSession:
        is_guarded = not (upstream.is_demo or upstream.proxy)
        place = (upstream.proxy, is_guarded)
        session = self._sessions.get(place)
        if session is None:
            session = self._sessions[place] = _make_session(upstream.proxy or None, is_guarded)
        return session

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()


def ask(upstream: UpstreamRecord, dialect: Dialect, url: str, *, seconds: float) -> Any:
    """Return the JSON at one of an upstream's own addresses, such as its list of models.

    Call it where no loop runs. Raises UpstreamFault.
    """
    return asyncio.run(_ask(upstream, dialect, url, seconds))


async def _ask(upstream: UpstreamRecord, dialect: Dialect, url: str, seconds: float) -> Any:
    upstreams = Upstreams()
    try:
        async with asyncio.timeout(seconds):
            return await upstreams.fetch(upstream, dialect, url)
    except TimeoutError:
        raise classify(TimeoutError()) from None
    finally:
        await upstreams.close()


def _make_session(proxy: str | None, is_guarded: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        ttl_dns_cache=DNS_CACHE_SECONDS,
        resolver=GuardedResolver() if is_guarded else None,
        socket_factory=_make_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers={"user-agent", "accept-encoding", "accept"},
        trust_env=False,
        proxy=proxy,
        read_bufsize=READ_BYTES // 2,  # aiohttp stops reading at twice as much
        # Each read's own limit is the gateway's ticker: one timer a process instead of one a read.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.CONNECT_SECONDS),
    )


def _make_socket(address: AddrInfoType) -> socket.socket:
    """Return a socket that hands out little at once: the event loop would take all of its 256 kB in one read."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
    return made


def _find_address(upstream: UpstreamRecord, dialect: Dialect, own_address: tuple[str, int]) -> URL:
    if upstream.is_demo:
        return _parse_address(demo.base_url(own_address) + dialect.path)
    url = _parse_address(upstream.base_url + dialect.path)
    _check_literal(url.host or "")
    return url


def _write(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # what can be read can be nested too deeply to be written
        problem = "The body is nested too deeply."
        raise UpstreamFault("invalid_request", "nesting", problem, may_fail_over=False, was_sent=False) from None


async def _pieces(content: bytes) -> AsyncIterator[memoryview]:
    """Hand a large body out piece by piece, so that other requests get their turn."""
    view = memoryview(content)
    for start in range(0, len(content), PIECE_BYTES):
        yield view[start : start + PIECE_BYTES]


def _read_credential(upstream: UpstreamRecord) -> str | None:
    try:
        credential = read_credential(upstream)
    except CredentialError:
        raise operators_fault("credential_unreadable") from None
    if credential is None and upstream.credential_env:
        raise operators_fault("credential_missing")
    return credential


@lru_cache(maxsize=1024)
def _parse_address(address: str) -> URL:
    try:
        return URL(address)
    except ValueError:
        raise operators_fault("bad_address") from None


def _check_literal(host: str) -> None:
    """Refuse an address in the URL itself that no upstream may lie on."""
    if not _is_allowed_literal(host, settings.ALLOW_PRIVATE_UPSTREAMS):
        raise operators_fault("address_not_allowed")


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


async def _read_refusal(response: aiohttp.ClientResponse, dialect: Dialect) -> UpstreamFault:
    body = b""
    try:
        while (read := await response.content.readany()) and len(body) <= MAX_ERROR_BYTES:
            body += read
    except BROKEN:
        body = b""  # the status says enough
    finally:
        response.close()
    if 300 <= response.status < 400:
        return UpstreamFault("upstream_error", "redirect", status=response.status, tells_admin=True)
    fault = dialect.read_error(response.status, body[:MAX_ERROR_BYTES])
    named = clean_text(response.headers.get("x-request-id", ""), 128)
    fault.provider_request_id = named or fault.provider_request_id
    fault.retry_after = read_retry_after(response.headers.get("retry-after", ""))
    return fault


class UpstreamAnswer:
    """An answer with status 200 whose body is still to be read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.is_done = False
        """True when the provider has said that nothing follows; the end of the body may still come."""
        self.request_id = clean_text(response.headers.get("x-request-id", ""), 128)

    @property
    def is_read(self) -> bool:
        """True when the body has been read to its end."""
        return self._response.content.at_eof()

    async def read(self) -> bytes:
        """Return what has come of the body, b"" at its end. Raises UpstreamFault where it breaks."""
        try:
            return await self._response.content.read(READ_BYTES)
        except BROKEN as error:
            raise classify(error) from None

    async def read_all(self) -> bytes:
        """Return the whole body. Raises UpstreamFault where it breaks or is absurdly long."""
        parts, size = [], 0
        while read := await self.read():
            parts.append(read)
            size += len(read)
            if size > MAX_ANSWER_BYTES:
                raise UpstreamFault("upstream_error", "answer_too_large")
        return b"".join(parts)

    async def drain(self) -> None:
        """Read the body's end, which may come in a packet of its own, so that the connection is kept."""
        try:
            async with asyncio.timeout(END_SECONDS):
                while await self._response.content.readany():
                    pass
        except BROKEN:
            pass  # it goes on, or broke: hang up
        finally:
            self.close()

    def close(self) -> None:
        """Hang up; a connection whose answer was read to its end was given back for the next request before."""
        self._response.close()
