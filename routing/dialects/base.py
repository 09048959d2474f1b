"""Plain OpenAI; a provider's dialect overrides what differs.

Four jobs: build the request, read an event, read an error, say what an error means.
Chat bodies are dicts as OpenAI's API documents them:
https://platform.openai.com/docs/api-reference/chat
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

MAX_PROVIDER_TEXT = 500


@dataclass(eq=False)
class UpstreamFault(Exception):
    """Why an attempt failed, in the words of the gateway.

    ``code`` is what the client sees if no other route answers; ``reason`` is a word for
    the attempt's record; ``was_sent`` is False only when the provider can't have got the
    request.
    """

    code: str
    reason: str
    message: str = ""
    may_fail_over: bool = True
    cools_down: bool = False
    was_sent: bool = True
    status: int | None = None
    provider_message: str = ""
    provider_request_id: str = ""
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """A provider's own counts; None where it names none."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass(slots=True)
class Built:
    """A request body as the upstream takes it, and which of the client's parameters it lost."""

    body: dict[str, Any]
    dropped: list[str] = field(default_factory=list)


class Dialect:
    """Plain OpenAI."""

    path: ClassVar[str] = "/chat/completions"
    dropped: ClassVar[frozenset[str]] = frozenset(
        {"user", "metadata", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"}
    )
    """Parameters that can't change the meaning of an answer and that providers don't know."""

    output_parameter: ClassVar[str] = "max_tokens"

    def build(self, client_body: dict[str, Any], *, model: str, output_limit: int) -> Built:
        """Return the upstream's body for a client's: its model id, the held output limit, usage asked for."""
        body = {name: value for name, value in client_body.items() if name not in self.dropped}
        body.pop("max_completion_tokens", None)
        body.pop("max_tokens", None)
        body["model"] = model
        body[self.output_parameter] = output_limit
        if body.get("stream"):
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        else:
            body.pop("stream_options", None)
        return Built(body, sorted(self.dropped & client_body.keys()))

    def headers(self, credential: str | None) -> list[tuple[str, str]]:
        """Return the headers that carry our credential."""
        return [("authorization", f"Bearer {credential}")] if credential else []

    def read_event(self, data: bytes) -> dict[str, Any]:
        """Return the chunk in an event's data. Raises UpstreamFault for an error or anything else."""
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise UpstreamFault("upstream_error", "not_json", "The provider sent an event that is not JSON.") from None
        return self.check(chunk)

    def read_answer(self, body: bytes) -> dict[str, Any]:
        """Return the completion in a whole body. Raises UpstreamFault."""
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise UpstreamFault("upstream_error", "not_json", "The provider's answer is not JSON.") from None
        answer = self.check(answer)
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
            raise UpstreamFault("upstream_error", "no_choices", "The provider's answer holds no choices.")
        return answer

    def check(self, parsed: Any) -> dict[str, Any]:
        """Return what was parsed if it is an object without an error in it: HTTP 200 is not success."""
        if not isinstance(parsed, dict):
            raise UpstreamFault("upstream_error", "not_an_object", "The provider's answer is not an object.")
        if parsed.get("error"):
            raise self.read_error(200, orjson.dumps(parsed))
        return parsed

    def read_usage(self, chunk: dict[str, Any]) -> Usage | None:
        """Return the counts in a chunk or an answer, None if there are none."""
        usage = chunk.get("usage")
        if not isinstance(usage, dict) or not usage.keys() & {"prompt_tokens", "completion_tokens"}:
            return None
        into = usage.get("prompt_tokens_details")
        out = usage.get("completion_tokens_details")
        return Usage(
            input=usage.get("prompt_tokens", 0),
            cached=into.get("cached_tokens", 0) if isinstance(into, dict) else 0,
            output=usage.get("completion_tokens", 0),
            reasoning=out.get("reasoning_tokens", 0) if isinstance(out, dict) else 0,
        )

    def read_error(self, status: int, body: bytes) -> UpstreamFault:
        """Return what an error answer means: whose fault it is, and whether another route may do better."""
        words = read_error_message(body)
        fault = self._classify(status, words.lower())
        fault.status, fault.provider_message = status, words
        return fault

    def _classify(self, status: int, words: str) -> UpstreamFault:
        if "context length" in words or "context_length" in words:
            return UpstreamFault("context_length_exceeded", "context_length", may_fail_over=False)
        if status in (401, 403):
            return UpstreamFault("upstream_error", "credential_refused", cools_down=True)
        if status == 402:
            return UpstreamFault("upstream_error", "no_balance", cools_down=True)
        if status == 404:
            return UpstreamFault("upstream_error", "model_unknown")
        if status == 429:
            return UpstreamFault("overloaded", "rate_limited", cools_down=True)
        if status in (400, 413, 422):
            return UpstreamFault("invalid_request", "refused", may_fail_over=False)
        return UpstreamFault("upstream_error", "server_error", cools_down=status >= 500)


def read_error_message(body: bytes) -> str:
    """Return the message in an error body of any shape, cut and cleaned; '' if there is none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = body[:MAX_PROVIDER_TEXT].decode(errors="replace")
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else parsed
    if isinstance(error, dict):
        error = error.get("message") or error.get("msg") or error.get("code") or ""
    return clean_text(error)


def clean_text(text: object, length: int = MAX_PROVIDER_TEXT) -> str:
    """Return a text from outside as a database and a log take it: no control characters, cut."""
    if not isinstance(text, str):
        return ""
    printable = "".join(character if character.isprintable() else " " for character in text[:length])
    return printable.encode("utf-8", "replace").decode()
