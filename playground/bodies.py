"""What the Playground's page sends: read up to a limit of its own, since images make it long."""

from django.http import HttpRequest

from routing.errors import GatewayError

SENT = ("model", "messages", "temperature", "top_p", "max_tokens", "reasoning_effort")
"""The fields of a call that the page may set."""
MAX_BODY = 8 * 2**20
"""Bytes: a conversation with a dozen pictures as the page makes them smaller."""


def read_body(request: HttpRequest, limit: int | None = None) -> bytes:
    """Return the body. Raises GatewayError where it is longer than ``limit`` (MAX_BODY) bytes."""
    most = MAX_BODY if limit is None else limit
    raw: bytes = request.read(most + 1)
    if len(raw) > most:
        raise GatewayError("request_too_large", "The Playground takes no conversation as long as this.")
    return raw
