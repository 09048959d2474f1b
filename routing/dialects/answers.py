"""Answers in OpenAI's shape: one reasoning field, usage in its place, whole tool calls, known finish reasons.

``Reader`` is one answer's state: what a provider says in pieces is put right piece by piece.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from billing.settlements import Tokens
from routing.dialects.calls import ToolCalls, as_index, as_text
from routing.dialects.faults import UpstreamFault, clean_text
from routing.dialects.fences import FenceRemover, unfence
from routing.dialects.meanings import Meaning

REASONING_FIELDS = ("reasoning_content", "reasoning")
TEXT_FIELDS = ("content", *REASONING_FIELDS, "refusal")
OPEN, CLOSE = "<think>", "</think>"

FINISH_REASONS: dict[str, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "eos": "stop",
    "normal": "stop",
    "max_output": "length",
    "context": "length",
    "model_context_window_exceeded": "length",
    "sensitive": "content_filter",
}
"""What providers say and what OpenAI says; anything else counts as stop."""

BROKEN_REASONS = frozenset({"insufficient_system_resource", "aborted", "abort", "network_error", "error"})
"""The provider gave up: a failure, whatever the form."""


class Usage(NamedTuple):
    """A provider's own counts, as it sent them; 0 where it names none."""

    input: Any = 0
    cached: Any = 0
    output: Any = 0
    reasoning: Any = 0
    cache_write: Any = 0

    @property
    def tokens(self) -> Tokens:
        """The same as what can be charged and stored."""
        return Tokens.clamped(self.input, self.cached, self.output, self.reasoning)

    @property
    def written(self) -> int:
        """How many of the input tokens the provider put into its cache."""
        return Tokens.clamped(self.input, self.cache_write, 0, 0).cached


def read_usage(chunk: Mapping[str, Any]) -> Usage | None:
    """Return the counts in a chunk or a whole answer, None if there are none.

    They stand at the top, or inside the first choice (Kimi); every provider's name for
    cached tokens is known.
    """
    usage = chunk.get("usage")
    if not isinstance(usage, dict):
        choices = chunk.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        usage = first.get("usage") if isinstance(first, dict) else None
    if not isinstance(usage, dict) or not ("prompt_tokens" in usage or "completion_tokens" in usage):
        return None
    into, out = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    into, out = into if isinstance(into, dict) else {}, out if isinstance(out, dict) else {}
    cached = into.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens") or 0
    return Usage(
        input=usage.get("prompt_tokens", 0),
        cached=cached,
        output=usage.get("completion_tokens", 0),
        reasoning=out.get("reasoning_tokens", 0),
        cache_write=into.get("cache_write_tokens") or into.get("cache_creation_input_tokens") or 0,
    )


class ThinkSplitter:
    """Parts a ``<think>`` block at the very beginning of an answer's content from what follows it.

    The newlines behind each of the two tags belong to neither.
    """

    __slots__ = ("_kept", "_state", "_trims")

    def __init__(self) -> None:
        self._kept = ""
        self._state = "before"
        self._trims = False

    @property
    def is_over(self) -> bool:
        """True when nothing more is to be parted: content passes as it is."""
        return self._state == "after" and not self._trims

    def take(self, text: str) -> tuple[str, str]:
        """Return (reasoning, content) of what can be told by now."""
        text, self._kept = self._kept + text, ""
        if self._state == "before":
            bare = text.lstrip()
            if OPEN.startswith(bare) and bare != OPEN:
                self._kept = text
                return "", ""
            is_open = bare.startswith(OPEN)
            self._state, self._trims = ("inside", True) if is_open else ("after", False)
            text = bare[len(OPEN) :] if is_open else text
        if self._state == "inside":
            return self._take_inside(self._trim(text))
        return "", self._trim(text)

    def _trim(self, text: str) -> str:
        if self._trims:
            text = text.lstrip("\n")
            self._trims = not text
        return text

    def _take_inside(self, text: str) -> tuple[str, str]:
        reasoning, found, content = text.partition(CLOSE)
        if found:
            self._state, self._trims = "after", True
            return reasoning, self._trim(content)
        held = next((n for n in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:n])), 0)
        self._kept = text[len(text) - held :]
        return text[: len(text) - held], ""

    def finish(self) -> tuple[str, str]:
        """Return what was held back when the answer ends."""
        kept, self._kept = self._kept, ""
        return (kept, "") if self._state == "inside" else ("", kept)


class Choice:
    """The state of one choice of an answer."""

    __slots__ = ("calls", "fence", "has_content", "is_finished", "thoughts")

    def __init__(self, seed: str) -> None:
        self.fence = FenceRemover()
        self.thoughts = ThinkSplitter()
        self.calls = ToolCalls(seed)
        self.has_content = False
        self.is_finished = False


class Reader:
    """Puts the chunks of one stream, or one whole answer, into OpenAI's shape, in place."""

    def __init__(self, *, seed: str, finish_reasons: Mapping[str, str], splits_thoughts: bool = True) -> None:
        self._seed = seed
        self._finish_reasons = finish_reasons
        self._splits_thoughts = splits_thoughts
        self._choices: dict[int, Choice] = {}
        self.keeps_reasoning = False
        self.unfences = False
        """Whether JSON and nothing else was asked for."""
        self.call_ids: list[str] = []
        self._reasoning: list[str] = []

    @property
    def reasoning(self) -> str:
        """The whole reasoning, where ``keeps_reasoning`` was set before it came."""
        return "".join(self._reasoning)

    @property
    def is_finished(self) -> bool:
        """True when every choice that has begun has said why it ended."""
        return bool(self._choices) and all(state.is_finished for state in self._choices.values())

    @property
    def has_said(self) -> bool:
        """True when content or a tool call has come."""
        return any(state.has_content for state in self._choices.values())

    def _keep(self, part: dict[str, Any]) -> None:
        if isinstance(text := part.get("reasoning_content"), str):
            self._reasoning.append(text)
        self.call_ids += [call["id"] for call in part.get("tool_calls", ()) if "id" in call]

    def read_chunk(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the chunk's choices, put right. Raises UpstreamFault where the provider gave up."""
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            return []
        return [self._read_choice(choice) for choice in choices if isinstance(choice, dict)]

    def _read_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        choice["index"] = as_index(choice.get("index")) or 0
        state = self._choices.get(choice["index"])
        if state is None:
            state = self._choices[choice["index"]] = Choice(f"{self._seed}{choice['index']}")
        choice.pop("usage", None)
        self._read_finish(choice)
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = self._read_whole_in_stream(choice, state)
        is_last = choice["finish_reason"] is not None
        state.is_finished = state.is_finished or is_last
        choice["delta"] = self._read_delta(delta, state, is_last=is_last)
        if state.calls:
            _end_with_calls(choice)
        return choice

    def _read_whole_in_stream(self, choice: dict[str, Any], state: Choice) -> dict[str, Any]:
        """A stream may end with a whole object (MiniMax): its text is new only if nothing came before."""
        message = choice.pop("message", None)
        return message if isinstance(message, dict) and not state.has_content else {}

    def _read_finish(self, choice: dict[str, Any]) -> None:
        reason = choice.get("finish_reason")
        if not isinstance(reason, str) or reason in ("", "null"):
            choice["finish_reason"] = None
            return
        if reason in BROKEN_REASONS:
            raise UpstreamFault.of(Meaning.SERVER_ERROR, provider_message=f"finish_reason {clean_text(reason, 40)}")
        known = self._finish_reasons.get(reason, "stop")
        choice["finish_reason"] = known
        if known != reason:
            choice["native_finish_reason"] = clean_text(reason, 40)

    def _read_delta(self, delta: dict[str, Any], state: Choice, *, is_last: bool) -> dict[str, Any]:
        if not as_text(delta.get("role")):
            delta.pop("role", None)
        plain_texts(delta)
        one_reasoning_field(delta)
        content = delta.get("content")
        if self._splits_thoughts and not state.thoughts.is_over and (content or is_last):
            self._part_thoughts(delta, state.thoughts, content if isinstance(content, str) else "", is_last)
        if self.unfences and (delta.get("content") or is_last):
            text = state.fence.take(delta.get("content") or "") + (state.fence.finish() if is_last else "")
            if text or delta.get("content"):
                delta["content"] = text
        if "tool_calls" in delta:
            delta["tool_calls"] = state.calls.repair(delta["tool_calls"])
            if not delta["tool_calls"]:
                del delta["tool_calls"]
        if self.keeps_reasoning:
            self._keep(delta)
        state.has_content = state.has_content or bool(delta.get("content") or delta.get("tool_calls"))
        return delta

    def _part_thoughts(self, delta: dict[str, Any], thoughts: ThinkSplitter, text: str, is_last: bool) -> None:
        reasoning, content = thoughts.take(text)
        if is_last:
            late = thoughts.finish()
            reasoning, content = reasoning + late[0], content + late[1]
        if reasoning:
            delta["reasoning_content"] = (delta.get("reasoning_content") or "") + reasoning
        if text or content:
            delta["content"] = content

    def read_unfinished(self) -> list[dict[str, Any]]:
        """Return the last pieces of the choices that ended well without saying so."""
        return [self._end(index, state) for index, state in self._choices.items() if not state.is_finished]

    def _end(self, index: int, state: Choice) -> dict[str, Any]:
        reasoning, content = state.thoughts.finish()
        if self.unfences:
            content = state.fence.take(content) + state.fence.finish()
        delta = {"reasoning_content": reasoning} if reasoning else {"content": content} if content else {}
        return {"index": index, "delta": delta, "finish_reason": "tool_calls" if state.calls else "stop"}

    # --- a whole answer ---------------------------------------------------------

    def read_whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Put a whole answer right. Raises UpstreamFault where the provider gave up."""
        if not isinstance(answer.get("usage"), dict):
            answer["usage"] = answer["choices"][0].get("usage")
        for place, choice in enumerate(answer["choices"]):
            index = as_index(choice.get("index"))
            choice["index"] = place if index is None else index
            message = choice.get("message")
            choice["message"] = self._read_message(message if isinstance(message, dict) else {}, choice)
            self._read_finish(choice)
            calls = choice["message"].get("tool_calls")
            if choice["finish_reason"] is None:
                choice["finish_reason"] = "tool_calls" if calls else "stop"
            elif calls:
                _end_with_calls(choice)
            choice.pop("usage", None)
        return answer

    def _read_message(self, message: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
        message["role"] = "assistant"
        plain_texts(message)
        one_reasoning_field(message)
        content = message.get("content")
        if self._splits_thoughts and isinstance(content, str):
            self._part_thoughts(message, ThinkSplitter(), content, is_last=True)
        message.setdefault("content", None)
        if self.unfences:
            message["content"] = unfence(message["content"])
        if "tool_calls" in message:
            calls = ToolCalls(f"{self._seed}{choice['index']}").repair(message["tool_calls"])
            for call in calls:
                del call["index"]
            message["tool_calls"] = calls
            if not calls:
                del message["tool_calls"]
        if self.keeps_reasoning:
            self._keep(message)
        return message


def _end_with_calls(choice: dict[str, Any]) -> None:
    """Say why a choice with tool calls ended: agents go by it whether to run them."""
    if choice["finish_reason"] == "stop":
        choice["finish_reason"] = "tool_calls"
        choice.setdefault("native_finish_reason", "stop")


def plain_texts(part: dict[str, Any]) -> None:
    """Leave only texts where OpenAI has texts: a list of parts becomes what they say, anything else nothing."""
    for name in TEXT_FIELDS:
        value = part.get(name)
        if isinstance(value, list):
            part[name] = "".join(as_text(one.get("text")) if isinstance(one, dict) else as_text(one) for one in value)
        elif value is not None and not isinstance(value, str):
            part[name] = None


def one_reasoning_field(part: dict[str, Any]) -> None:
    """Leave ``reasoning_content`` as the only reasoning field of a delta or message; equal texts are not joined."""
    if "reasoning_details" not in part and "reasoning" not in part:
        return
    details, other = part.pop("reasoning_details", None), part.pop("reasoning", None)
    if part.get("reasoning_content"):
        return
    if isinstance(other, str) and other:
        part["reasoning_content"] = other
    elif isinstance(details, list):
        texts = [one.get("text") for one in details if isinstance(one, dict)]
        if text := "".join(text for text in texts if isinstance(text, str)):
            part["reasoning_content"] = text
