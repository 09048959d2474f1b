"""Turns a provider's chunks and answers into ours: public model id, our id, one usage object.

Where usage goes in a stream: on the finish chunk, which is held back for it; in
OpenAI's extra chunk instead if the client asked for that. A chunk never has empty
`choices` unless the client asked for it: OpenAI's own samples crash on one.
"""

from collections.abc import Callable
from typing import Any

import orjson

from billing import money
from billing.settlements import Tokens
from routing import sse
from routing.dialects.answers import Reader
from routing.dialects.base import Dialect, UpstreamFault, Usage
from routing.estimates import text_size

TEXT_FIELDS = ("content", "reasoning_content", "refusal")
MAX_WAITING_BYTES = 2**20
"""Of what a provider may send before its first word."""

FINISH_FIELDS = ("finish_reason", "native_finish_reason")


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

    ``size`` counts the bytes of text handed out, ``usage`` is the provider's last count,
    ``is_done`` says that nothing more is to be read, ``fault`` why the stream broke.
    """

    def __init__(
        self, *, model: str, completion_id: str, created: int, include_usage: bool, dialect: Dialect, reader: Reader
    ) -> None:
        self._head = {"id": completion_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._include_usage = include_usage
        self._dialect = dialect
        self._reader = reader
        self._splitter = sse.EventSplitter()
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._ends: dict[int, dict[str, Any]] = {}
        """The last chunk of each finished choice: held back for the usage, and for what may follow."""
        self.has_content = False
        self.is_done = False
        self.fault: UpstreamFault | None = None
        self.size = 0
        self.usage: Usage | None = None
        self.finish_reason = ""

    @property
    def is_finished(self) -> bool:
        """True when the provider has said why it stopped."""
        return bool(self.finish_reason)

    @property
    def is_complete(self) -> bool:
        """True when the provider has said why each choice ended: what may still come are counts."""
        return self._reader.is_finished

    def take(self, read: bytes, *, is_delivering: bool = True) -> bytes:
        """Return what to send for one read, cut anywhere. What came before a fault goes out all the same."""
        return self._take_events(lambda: self._splitter.feed(read), is_delivering)

    def end(self, *, is_delivering: bool = True) -> bytes:
        """Return what to send when the body has ended."""
        piece = self._take_events(self._splitter.finish, is_delivering)
        is_torn = self.fault is not None and self.fault.reason == "not_json"
        if self.has_content and (is_torn or (not self.is_complete and self.fault is None)):
            self.fault = UpstreamFault.broken("cut")
        elif not self.is_finished and self.fault is None:
            self.fault = UpstreamFault.broken("empty")
        elif not self.is_done:
            self._close(is_delivering)
        self.is_done = True
        return piece

    def _take_events(self, split: Callable[[], list[bytes]], is_delivering: bool) -> bytes:
        pieces: list[bytes] = []
        try:
            for data in split():
                if self.is_done:
                    break
                if data.startswith(b"[DONE]"):
                    self._note_done(is_delivering)
                else:
                    pieces.append(self._take_event(data, is_delivering))
        except UpstreamFault as fault:
            self.fault, self.is_done = fault, True
        except sse.EventTooLargeError:
            self.fault, self.is_done = UpstreamFault.broken("answer_too_large"), True
        return b"".join(pieces)

    def _note_done(self, is_delivering: bool) -> None:
        """Take the provider's word that all is said: some never name a reason (Spark)."""
        self.is_done = True
        self._close(is_delivering)
        if not self.is_finished:
            raise UpstreamFault.broken("empty")

    def _close(self, is_delivering: bool) -> None:
        """End the choices that the provider has not ended, with what was held back of them."""
        unfinished = self._reader.read_unfinished()
        size = sum(message_size(choice["delta"]) for choice in unfinished)
        self.size += size if is_delivering else 0
        self.has_content = self.has_content or size > 0
        if self.has_content or self.is_finished:
            self._ends.update({choice["index"]: choice for choice in unfinished})
            self.finish_reason = self.finish_reason or unfinished[0]["finish_reason"]

    def _take_event(self, data: bytes, is_delivering: bool) -> bytes:
        chunk = self._dialect.read_event(data)
        self.usage = self._dialect.read_usage(chunk) or self.usage
        choices = self._reader.read_chunk(chunk)
        if not choices:
            return b""
        size = sum(message_size(choice["delta"]) for choice in choices)
        if is_delivering:
            self.size += size
        self.has_content = self.has_content or size > 0
        return self._release(self._hold_back(choices))

    def _hold_back(self, choices: list[dict[str, Any]]) -> bytes:
        """Return the events to send now. A choice says why it ended once, with its very last piece."""
        out, running = b"", []
        for choice in choices:
            if earlier := self._ends.pop(choice["index"], None):
                reasons = {name: earlier.pop(name) for name in FINISH_FIELDS if name in earlier}
                if not choice["finish_reason"]:
                    choice.update(reasons)
                if message_size(earlier["delta"]):
                    out += self._write([{**earlier, "finish_reason": None}])
            if choice["finish_reason"]:
                self.finish_reason = choice["finish_reason"]
                self._ends[choice["index"]] = choice
            else:
                running.append(choice)
        return out + self._write(running) if running else out

    def _release(self, event: bytes) -> bytes:
        """Keep events back until content has come, so that another route can still take over."""
        if not event:
            return b""
        self._waiting.append(event)
        if not self.has_content:
            self._waiting_size += len(event)
            if self._waiting_size > MAX_WAITING_BYTES:
                raise UpstreamFault.broken("no_content")
            return b""
        out, self._waiting = b"".join(self._waiting), []
        return out

    def _write(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        chunk: dict[str, Any] = {**self._head, "choices": choices}
        if usage or self._include_usage:
            chunk["usage"] = usage
        return sse.write_event(orjson.dumps(chunk))

    def finish(self, usage: dict[str, Any]) -> bytes:
        """Return the stream's last events, with the usage in its place."""
        *before, last = self._ends.values()
        tail = b"".join(self._write([choice]) for choice in before)
        tail += self._write([last]) + self._write([], usage) if self._include_usage else self._write([last], usage)
        return b"".join(self._waiting) + tail + sse.DONE


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
