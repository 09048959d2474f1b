"""How far a journey has come: which routes were tried, what one of them has said so far.

The usage record, the checkpoint of a running stream and the charge are all made from it.
"""

import time
from typing import Any

from billing.settlements import Tokens
from routing.call import Call
from routing.dialects.answers import Reader
from routing.dialects.base import Dialect, UpstreamFault, Usage, clean_text
from routing.echoes import drop_echo
from routing.rewrite import StreamRewriter, message_size, rewrite_answer
from routing.selection import Skipped
from routing.snapshot import RouteRecord

REFUSALS = frozenset({400, 404, 422})
"""Statuses by which providers refuse the request itself."""


def milliseconds(start: float, end: float) -> int:
    """Return the time between two monotonic instants."""
    return max(0, round((end - start) * 1000))


class Progress:
    """State of one journey. ``stream`` or ``whole`` is what the current route has answered."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._created = int(time.time())
        self.began_at = time.monotonic()
        self.heard_at = self.began_at
        """When the upstream last sent something, or was called."""
        self.spoke_at = self.began_at
        """When the client last got something."""
        self.first_content_at: float | None = None
        self.attempts: list[dict[str, Any]] = []
        self.route: RouteRecord | None = None
        self.has_next = False
        """Whether another route can take over from this one."""
        self.is_asking = False
        """False while the journey waits for its turn at an upstream."""
        self.is_retry = False
        self.provider_request_id = ""
        self.is_opened = False
        """True once the upstream has answered with the head of an answer."""
        self.likely_input = 0
        """Tokens, as far as can be guessed."""
        self.output_limit = 0
        """What the current route may answer with, in tokens per choice."""
        self.dropped: list[str] = []
        self.stream: StreamRewriter | None = None
        self.whole: dict[str, Any] | None = None
        self._whole_usage: Usage | None = None
        self._whole_size = 0
        self.reader: Reader | None = None
        self.schema: Any = None
        """What a whole answer is to be checked by, where the provider could not be told."""

    def begin_route(self, route: RouteRecord, *, has_next: bool = False, is_retry: bool = False) -> None:
        """Forget what the route before has said: nothing of it has reached the client."""
        self.has_next, self.is_retry, self.is_asking = has_next, is_retry, False
        self.route, self.stream, self.whole = route, None, None
        self.provider_request_id, self.is_opened = "", False
        self.heard_at = time.monotonic()

    def note_opened(self, provider_request_id: str) -> None:
        """Note that the upstream has begun to answer."""
        self.provider_request_id, self.is_opened = provider_request_id, True

    def open_reader(self, dialect: Dialect) -> Reader:
        """Begin to read what the current route answers."""
        self.reader = dialect.reader(self._call.completion_id)
        self.reader.keeps_reasoning = self._call.chat.tools > 0 and self._call.keeps_reasoning
        self.reader.unfences = self._call.chat.wants_json
        return self.reader

    def read_whole(self, body: bytes, dialect: Dialect) -> None:
        """Read what the current route answered in one piece. Raises UpstreamFault."""
        whole = dialect.read_answer(body, self.open_reader(dialect))
        self.whole, self._whole_usage = whole, dialect.read_usage(whole)
        self._whole_size = sum(message_size(choice.get("message")) for choice in whole["choices"])

    def ask(self) -> None:
        """From now on the route is waited for."""
        self.is_asking = True
        self.heard_at = time.monotonic()

    def open_stream(self, dialect: Dialect) -> StreamRewriter:
        """Begin with the current route's stream."""
        self.stream = StreamRewriter(
            model=self._call.model.slug,
            completion_id=self._call.completion_id,
            created=self._created,
            include_usage=self._call.chat.include_usage,
            dialect=dialect,
            reader=self.open_reader(dialect),
        )
        return self.stream

    def write_last(self, usage: dict[str, Any]) -> bytes:
        """Return the last piece of a good answer: a stream's last events, or a whole body."""
        if self.usage:
            written = min(self.usage.written, usage["prompt_tokens"])
            usage["prompt_tokens_details"]["cache_write_tokens"] = written
        if self.stream:
            return self.stream.finish(usage)
        assert self.whole
        return rewrite_answer(
            self.whole,
            model=self._call.model.slug,
            completion_id=self._call.completion_id,
            created=self._created,
            usage=usage,
        )

    # --- what the answer says --------------------------------------------------

    @property
    def has_content(self) -> bool:
        return bool(self.stream and self.stream.has_content)

    @property
    def usage(self) -> Usage | None:
        """The provider's last counts, None where it has named none."""
        if self.whole is not None:
            return self._whole_usage
        return self.stream.usage if self.stream else None

    @property
    def delivered_size(self) -> int:
        """Bytes of text that were handed to the client."""
        if self.whole is not None:
            return self._whole_size
        return self.stream.size if self.stream else 0

    @property
    def finish_reason(self) -> str:
        if self.whole is not None:
            return clean_text(self.whole["choices"][0].get("finish_reason"), 40)
        return self.stream.finish_reason if self.stream else ""

    @property
    def first_token_ms(self) -> int | None:
        return milliseconds(self.began_at, self.first_content_at) if self.first_content_at else None

    def describe_route(self) -> dict[str, Any]:
        """Return the route's columns of a usage record: provider, upstream, upstream_model, demo."""
        upstream = self.route.upstream if self.route else None
        return {
            "provider": upstream.provider if upstream else "",
            "upstream": upstream.slug if upstream else "",
            "upstream_model": self.route.upstream_model if self.route else "",
            "demo": upstream.is_demo if upstream else False,
        }

    def describe_cost(self, tokens: Tokens) -> dict[str, Any]:
        """Return the cost columns of a usage record: what the provider asks for these tokens, where that is known."""
        return self.route.cost.describe(tokens) if self.route and self.route.cost else {}

    def pack_cost(self) -> list[Any] | None:
        """Return what the provider asks for tokens, for a checkpoint."""
        return self.route.cost.pack() if self.route and self.route.cost else None

    # --- what was tried --------------------------------------------------------

    def note_skipped(self, skipped: list[Skipped]) -> None:
        for one in skipped:
            self.attempts.append({"route": one.route.label, "outcome": "skipped", "reason": one.reason})

    def note_attempt(self, began_at: float, outcome: str, reason: str = "") -> None:
        assert self.route
        self.attempts.append(
            {
                "route": self.route.label,
                "outcome": outcome,
                "reason": reason,
                "status": 200 if outcome == "answered" else None,
                "at_ms": milliseconds(self.began_at, began_at),
                "ms": milliseconds(began_at, time.monotonic()),
                "provider_request_id": self.provider_request_id,
                **({"is_retry": True} if self.is_retry else {}),
            }
        )
        if outcome != "answered" and self.usage:
            # What the provider may bill us, whatever the client is charged.
            tokens = self.usage.tokens
            self.attempts[-1].update(input_tokens=tokens.input, output_tokens=tokens.output)

    def note_fault(self, began_at: float, fault: UpstreamFault) -> bool:
        """Keep a failed attempt; tell whether it says something of its upstream.

        A refusal that may quote the request does not: its words, by which it was read, may be the client's.
        """
        self.provider_request_id = fault.provider_request_id or self.provider_request_id
        self.note_attempt(began_at, "skipped" if fault.reason == "busy" else "failed", fault.reason)
        words = drop_echo(fault.provider_message, self._call.chat.body)
        self.attempts[-1].update(status=fault.status, was_sent=fault.was_sent, provider_message=words)
        if fault.was_sent and (fault.status is None or self.delivered_size):
            self.attempts[-1].update(self._describe_lost_cost())
        is_quoting = bool(fault.provider_message) and not words
        return not (is_quoting and fault.status in REFUSALS)

    def _describe_lost_cost(self) -> dict[str, str]:
        """Return what a provider that was at work may bill for an attempt that came to nothing.

        Where it counted nothing, that is the input at least; what it thought nobody knows.
        """
        assert self.route
        if not self.route.cost:
            return {"cost": "unknown"}
        tokens = self.usage.tokens if self.usage else Tokens(input=self.likely_input)
        cost = self.describe_cost(tokens)
        source = "provider" if self.usage else "estimate"
        return {"cost": f"{cost['cost'].normalize():f}", "cost_currency": cost["cost_currency"], "cost_source": source}
