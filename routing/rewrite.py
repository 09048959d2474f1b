"""Turns a provider's chunks and answers into ours: public model id, our id, one usage object.

Where usage goes in a stream: on the finish chunk, which is held back for it; in
OpenAI's extra chunk instead if the client asked for that. A chunk never has empty
`choices` unless the client asked for it: OpenAI's own samples crash on one.
"""

import time
from typing import Any

import orjson

from billing import money
from billing.settles import Tokens
from routing import sse
from routing.dialects.base import Dialect, Usage, clean_text
from routing.estimates import text_size

TEXT_FIELDS = ("content", "reasoning_content", "refusal")


def usage_object(tokens: Tokens, charge_nanos: int) -> dict[str, Any]:
    """Return OpenAI's usage with the details always there, and what was charged in USD."""
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "cost": charge_nanos / money.NANOS,
        "currency": "USD",
        "tracked": True,
    }


def message_size(message: Any) -> int:
    """Return the bytes of text in a message or delta: content, reasoning and tool arguments."""
    if not isinstance(message, dict):
        return 0
    size = sum(text_size(message.get(name)) for name in TEXT_FIELDS)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            size += text_size(function.get("name")) + text_size(function.get("arguments"))
    return size


class StreamRewriter:
    """One stream's state. What it returns is ready to be sent; nothing before the first content.

    ``size`` counts the bytes of text handed out, ``usage`` is the provider's last count.
    """

    def __init__(self, *, model: str, completion_id: str, include_usage: bool, dialect: Dialect) -> None:
        self._model = model
        self._id = completion_id
        self._include_usage = include_usage
        self._dialect = dialect
        self._created = int(time.time())
        self._waiting: list[bytes] = []
        self._finish_chunk: dict[str, Any] | None = None
        self.has_content = False
        self.size = 0
        self.usage: Usage | None = None
        self.finish_reason = ""

    @property
    def is_finished(self) -> bool:
        """True when the provider has said why it stopped."""
        return bool(self.finish_reason)

    def take(self, data: bytes, *, is_delivering: bool = True) -> bytes:
        """Return what to send for one event's data. Raises UpstreamFault."""
        chunk = self._dialect.read_event(data)
        self.usage = self._dialect.read_usage(chunk) or self.usage
        chunk.pop("usage", None)
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return b""
        size = sum(message_size(choice.get("delta")) for choice in choices if isinstance(choice, dict))
        if is_delivering:
            self.size += size
        self.has_content = self.has_content or size > 0
        return self._release(self._hold_back(chunk, choices))

    def _hold_back(self, chunk: dict[str, Any], choices: list[Any]) -> bytes:
        """Return the event to send now; a finish chunk waits for the usage, the one before it goes."""
        earlier, self._finish_chunk = self._finish_chunk, None
        out = self._write(earlier) if earlier else b""
        reason = choices[0].get("finish_reason")
        if isinstance(reason, str) and reason:
            self.finish_reason = clean_text(reason, 40)
            self._finish_chunk = chunk
            return out
        return out + self._write(chunk)

    def _release(self, event: bytes) -> bytes:
        """Keep events back until content has come, so that another route can still take over."""
        if not event:
            return b""
        self._waiting.append(event)
        if not self.has_content:
            return b""
        out, self._waiting = b"".join(self._waiting), []
        return out

    def _write(self, chunk: dict[str, Any]) -> bytes:
        chunk["id"], chunk["object"], chunk["model"] = self._id, "chat.completion.chunk", self._model
        chunk["created"] = self._created
        if self._include_usage:
            chunk["usage"] = None
        return sse.write_event(orjson.dumps(chunk))

    def finish(self, usage: dict[str, Any]) -> bytes:
        """Return the stream's last events, with the usage in its place."""
        last = self._finish_chunk or {"choices": [{"index": 0, "delta": {}, "finish_reason": self.finish_reason}]}
        if self._include_usage:
            tail = self._write(last) + self._write_usage({"choices": []}, usage)
        else:
            tail = self._write_usage(last, usage)
        return b"".join(self._waiting) + tail + sse.DONE

    def _write_usage(self, chunk: dict[str, Any], usage: dict[str, Any]) -> bytes:
        self._write(chunk)
        chunk["usage"] = usage
        return sse.write_event(orjson.dumps(chunk))


def rewrite_answer(
    answer: dict[str, Any], *, model: str, completion_id: str, created: int, usage: dict[str, Any]
) -> bytes:
    """Return a whole completion as the client gets it."""
    return orjson.dumps(
        {
            **answer,
            "id": completion_id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "usage": usage,
        }
    )
