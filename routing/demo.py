"""The demo provider: a real HTTP upstream on this very server, for pools without a route.

It names itself, streams a short answer word by word and reports usage, so that the
whole path of a request can be seen before a provider's credential is there.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from django.conf import settings

from routing import sse

PATH = "/demo-provider/v1"
WORDS_PER_SECOND = 40
CHARACTERS_PER_TOKEN = 4
IMAGE_CHARACTERS = 1000 * CHARACTERS_PER_TOKEN

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def secret() -> str:
    """Return what the gateway shows the demo: only this site's processes know it."""
    return hmac.new(settings.SECRET_KEY.encode(), b"demo-provider", hashlib.sha256).hexdigest()


def base_url(own_address: tuple[str, int]) -> str:
    """Return the demo's address on the server that was reached at ``own_address``."""
    host, port = own_address
    return f"http://[{host}]:{port}{PATH}" if ":" in host else f"http://{host}:{port}{PATH}"


async def demo_provider(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a chat completion as an OpenAI-compatible provider would."""
    headers = dict(scope["headers"])
    shown = headers.get(b"authorization", b"").removeprefix(b"Bearer ").decode("latin-1")
    if not hmac.compare_digest(shown.encode(), secret().encode()):
        await _send_json(send, 404, {"error": {"message": "not found", "code": "not_found"}})
        return
    body = orjson.loads(await _read_body(receive))
    if body.get("stream"):
        await _stream(body, send)
    else:
        words, reason = _answer(body)
        said = {"message": {"role": "assistant", "content": "".join(words)}, "finish_reason": reason}
        await _send_json(send, 200, _envelope(body, "chat.completion", said, _usage(body, len(words))))


async def _read_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _answer(body: dict[str, Any]) -> tuple[list[str], str]:
    """Return the words that fit into the limit, one token each, and the finish reason."""
    text = (
        f"This is the demo provider of this SmarToken site, standing in for {body['model']}. "
        "No real model answered: the operator has not added a route to this pool yet. "
        "Everything else is real: your key was checked, the cost was held, and this answer was counted and charged."
    )
    words = [word + " " for word in text.split()]
    words[-1] = words[-1].rstrip()
    limit = int(body.get("max_tokens") or len(words))
    return words[:limit], "stop" if limit >= len(words) else "length"


def _count_choices(body: dict[str, Any]) -> int:
    return int(body.get("n") or 1)


def _envelope(body: dict[str, Any], kind: str, said: dict[str, Any], usage: dict[str, int] | None) -> dict[str, Any]:
    """Return a completion or a chunk in which every choice says the same."""
    envelope = {"id": "chatcmpl-demo", "object": kind, "created": int(time.time()), "model": body["model"]}
    choices = [{"index": index, **said} for index in range(_count_choices(body))]
    return {**envelope, "choices": choices, **({"usage": usage} if usage else {})}


def _measure(content: str | list[dict[str, Any]]) -> int:
    """Return a message's length in characters; an image is as long as models count it, whatever its data."""
    if isinstance(content, str):
        return len(content)
    return sum(len(str(part["text"])) if "text" in part else IMAGE_CHARACTERS for part in content)


def _usage(body: dict[str, Any], words: int) -> dict[str, int]:
    asked = sum(_measure(message.get("content") or "") for message in body.get("messages", []))
    counts = {"prompt_tokens": max(1, asked // CHARACTERS_PER_TOKEN), "completion_tokens": words * _count_choices(body)}
    return {**counts, "total_tokens": sum(counts.values())}


async def _stream(body: dict[str, Any], send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/event-stream")],
        }
    )
    words, reason = _answer(body)
    await _send_chunk(send, body, {"role": "assistant", "content": ""})
    for word in words:
        await asyncio.sleep(1 / WORDS_PER_SECOND)
        await _send_chunk(send, body, {"content": word})
    await _send_chunk(send, body, {}, finish_reason=reason, usage=_usage(body, len(words)))
    await send({"type": "http.response.body", "body": sse.DONE})


async def _send_chunk(
    send: Send,
    body: dict[str, Any],
    delta: dict[str, Any],
    finish_reason: str | None = None,
    usage: dict[str, int] | None = None,
) -> None:
    said = {"delta": delta, "finish_reason": finish_reason}
    event = sse.write_event(orjson.dumps(_envelope(body, "chat.completion.chunk", said, usage)))
    await send({"type": "http.response.body", "body": event, "more_body": True})


async def _send_json(send: Send, status: int, content: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(content)})
