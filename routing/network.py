"""Where a client is and whether its connection is secure, as far as trusted proxies say so."""

import ipaddress
from collections.abc import Mapping, MutableMapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from django.conf import settings


@cache
def _trusted(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ipaddress.ip_network(network, strict=False) for network in networks)


def is_trusted(address: str) -> bool:
    """Tell whether this address is one of TRUSTED_PROXIES."""
    networks = _trusted(tuple(settings.TRUSTED_PROXIES))
    if not networks:
        return False
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A dual-stack socket shows an IPv4 peer as ::ffff:10.0.0.1.
    forms = {parsed, getattr(parsed, "ipv4_mapped", None) or parsed}
    return any(form in network for form in forms for network in networks)


def client_address(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
    """Return the client's address: the rightmost hop of x-forwarded-for that is not a trusted proxy."""
    peer: str = (scope.get("client") or ("", 0))[0]
    forwarded = headers.get(b"x-forwarded-for")
    if not forwarded:
        return peer
    hops = [hop.strip() for hop in forwarded.decode("latin-1").split(",") if hop.strip()]
    while is_trusted(peer) and hops:
        peer = hops.pop()
    return peer


def is_secure(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether the client came over https, by itself or by a trusted proxy's word."""
    if scope.get("scheme") == "https":
        return True
    peer = (scope.get("client") or ("", 0))[0]
    return is_trusted(peer) and headers.get(b"x-forwarded-proto", b"").strip().lower() == b"https"


FORWARDING = (b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port")


def settle_scope(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return the scope with the client and scheme that trusted proxies tell, and without any forwarding header.

    What comes behind it, Django among it, need not know about proxies.
    """
    headers = dict(scope["headers"])
    return {
        **scope,
        "client": (client_address(scope, headers), (scope.get("client") or ("", 0))[1]),
        "scheme": "https" if is_secure(scope, headers) else "http",
        "headers": [(name, value) for name, value in scope["headers"] if name not in FORWARDING],
    }
