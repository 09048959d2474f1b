"""HTTP that the worker speaks to the operator's webhook: bounded, and guarded like the gateway's calls."""

import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import Any

import httpx

from routing import addresses

MAX_BYTES = 1024 * 1024
MAX_TRIES = 3


class OutboundError(Exception):
    """Nothing came back; the message says why and holds no address and no secret."""


@dataclass(frozen=True, slots=True)
class Fetched:
    status: int
    body: bytes


class GuardedTransport(httpx.HTTPTransport):
    """Connects only to addresses that upstreams may lie on: those that were checked, not those of a second look-up."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        ips = _resolve(host, request.url.port or {"https": 443}.get(request.url.scheme, 80))
        extensions = request.extensions if _is_literal(host) else {**request.extensions, "sni_hostname": host}
        for tried, ip in enumerate(ips, 1):
            aimed = httpx.Request(
                request.method,
                request.url.copy_with(host=ip),
                headers=request.headers,
                stream=request.stream,
                extensions=extensions,
            )
            try:
                return super().handle_request(aimed)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if tried == len(ips):
                    raise
        raise OutboundError("its address is not allowed on this site")


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutboundError("its name could not be resolved") from None
    ips = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return [ip for ip in ips if addresses.is_allowed(ip)][:MAX_TRIES]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def fetch(method: str, url: str, *, seconds: float, headers: Any = None, content: bytes | None = None) -> Fetched:
    """Return what an address answers, whatever its status; no redirect is followed. Raises OutboundError.

    ``seconds`` bound each step, and twice that the whole.
    """
    deadline = time.monotonic() + 2 * seconds
    try:
        with (
            httpx.Client(transport=GuardedTransport(trust_env=False), trust_env=False, timeout=seconds) as client,
            client.stream(method, url, headers=headers, content=content) as response,
        ):
            body = b""
            for read in response.iter_bytes():
                body += read
                if len(body) > MAX_BYTES or time.monotonic() > deadline:
                    raise OutboundError("its answer was too long")
            return Fetched(response.status_code, body)
    except httpx.TimeoutException:
        raise OutboundError("it took too long") from None
    except httpx.ConnectError:
        raise OutboundError("could not connect") from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise OutboundError("the connection failed") from None
