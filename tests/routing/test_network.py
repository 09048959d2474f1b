"""Who the client is: only trusted proxies may say."""

import pytest

from routing.network import client_address, is_secure, settle_scope


def scope(peer: str = "10.0.0.1", **headers: str) -> dict:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": (peer, 1234), "scheme": "http", "headers": pairs}


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ([], "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        (["10.0.0.0/8"], "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.7", "198.51.100.1"),
        (["10.0.0.0/8"], "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        (["10.0.0.0/8"], "10.0.0.1", "", "10.0.0.1"),
        (["::1"], "::1", "2001:db8::5", "2001:db8::5"),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 198.51.100.1, ::ffff:10.0.0.7", "198.51.100.1"),
    ],
)
def test_the_rightmost_hop_that_is_no_proxy_of_ours_counts(settings, trusted, peer, forwarded, client) -> None:
    settings.TRUSTED_PROXIES = trusted
    asked = scope(peer, x_forwarded_for=forwarded)
    assert client_address(asked, dict(asked["headers"])) == client


@pytest.mark.parametrize(("trusted", "expected"), [([], False), (["10.0.0.1"], True)])
def test_only_a_trusted_proxy_may_call_a_connection_secure(settings, trusted, expected) -> None:
    settings.TRUSTED_PROXIES = trusted
    asked = scope(x_forwarded_proto="https")
    assert is_secure(asked, dict(asked["headers"])) is expected


def test_pages_see_the_client_and_no_forwarding_header(settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    settled = settle_scope(scope(x_forwarded_for="198.51.100.1", x_forwarded_proto="https", x_forwarded_host="evil"))
    assert settled["client"][0] == "198.51.100.1"
    assert settled["scheme"] == "https"
    assert settled["headers"] == []
