"""The tag of a request: the client's own word for what it was for, by which usage is filtered and grouped."""

from typing import Any

from routing.errors import GatewayError

LONGEST = 64


def read_tag(header: bytes | None, metadata: Any) -> str:
    """Return what ``x-smartoken-tag`` says, else ``tag`` in the body's ``metadata``; "" without either.

    Raises GatewayError where it is no tag: what was meant to be told apart later must not be lost silently.
    """
    if header is not None:
        return _check(header.decode("utf-8", "replace").strip(), "x-smartoken-tag")
    tag = metadata.get("tag") if isinstance(metadata, dict) else None
    return _check(tag.strip(), "metadata.tag") if isinstance(tag, str) else ""


def _check(tag: str, param: str) -> str:
    if len(tag) > LONGEST or not tag.isprintable() or "\ufffd" in tag:
        raise GatewayError("invalid_request", f"{param} must be at most {LONGEST} printable characters.", param)
    return tag
