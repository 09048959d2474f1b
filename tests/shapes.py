"""What each family's answers look like, as data: one that thinks, speaks or calls a tool.

A model id ``shape-<dialect>-<kind>`` makes the upstream answer so; the kinds are in ``KINDS``.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.upstream import BEHAVIOURS, Answer

THOUGHT = ["Let me ", "think: 你", "好."]
WORDS = ["The ans", "wer is ", "42 — 四十二."]
ARGUMENTS = ['{"city": ', '"武汉"}']
COUNTS = {"input": 120, "cached": 64, "output": 30, "reasoning": 12}
CALL_ID = "call_7f"

OPENAI: dict[str, Any] = {"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": "provider-model"}

KINDS = ("text", "thinking", "tools", "long", "filtered")
EXPECTED_REASONS = {
    "text": "stop",
    "thinking": "stop",
    "tools": "tool_calls",
    "long": "length",
    "filtered": "content_filter",
}


@dataclass(frozen=True)
class Shape:
    """A provider's manner.

    ``usage``: where a stream's counts stand: ``finish`` (on the finish chunk), ``extra`` (a chunk
    without choices), ``choice`` (inside the first choice, then extra), ``every`` (each chunk so
    far), ``content`` (on the last chunk with content), ``whole`` (a whole object at the end),
    ``none``. ``reasoning``: the field, or ``think`` for tags in the content, ``both``, ``""`` for none.
    ``tools``: ``pieces``, ``empty ids`` (Qwen), ``at once``, ``object`` (Spark). ``running`` is the
    finish reason of chunks that are not the last; ``role`` that of their deltas.
    """

    usage: str = "finish"
    reasoning: str = "reasoning_content"
    tools: str = "pieces"
    running: Any = None
    role: Any = "absent"
    ends: bool = True
    done: bool = True
    prefix: str = "data: "
    before: str = ""
    before_json: str = ""
    cached: str = "details"
    counts_reasoning: bool = True
    filtered: str = "content_filter"
    long: str = "length"
    envelope: dict[str, Any] = field(default_factory=lambda: dict(OPENAI))
    on_choice: dict[str, Any] = field(default_factory=dict)

    def count(self) -> dict[str, Any]:
        """Return the usage object."""
        usage: dict[str, Any] = {"prompt_tokens": COUNTS["input"], "completion_tokens": COUNTS["output"]}
        usage["total_tokens"] = COUNTS["input"] + COUNTS["output"]
        if self.cached == "hits":
            usage |= {"prompt_cache_hit_tokens": COUNTS["cached"], "prompt_cache_miss_tokens": 56}
        elif self.cached == "top":
            usage["cached_tokens"] = COUNTS["cached"]
        elif self.cached == "details":
            usage["prompt_tokens_details"] = {"cached_tokens": COUNTS["cached"]}
        if self.counts_reasoning:
            usage["completion_tokens_details"] = {"reasoning_tokens": COUNTS["reasoning"]}
        return usage

    def reason(self, kind: str) -> str:
        return {"tools": "tool_calls", "long": self.long, "filtered": self.filtered}.get(kind, "stop")

    # --- a stream ----------------------------------------------------------------

    def stream(self, kind: str) -> bytes:
        """Return the stream's bytes."""
        events = "".join(f"{self.prefix}{json.dumps(one, ensure_ascii=False)}\n\n" for one in self.chunks(kind))
        return (self.before + events + (f"{self.prefix}[DONE]\n\n" if self.done else "")).encode()

    def chunks(self, kind: str) -> Iterator[dict[str, Any]]:
        deltas = list(self._deltas(kind))
        for number, delta in enumerate(deltas):
            is_last = number == len(deltas) - 1
            usage = self.usage == "every" or (self.usage == "content" and is_last)
            yield self._chunk(delta, self.running, usage=self.count() if usage else None)
        if self.usage == "whole":
            yield {**self.whole(kind), **self.envelope, "object": "chat.completion"}
        elif self.ends:
            nested = {"usage": {"prompt_tokens": 1, "completion_tokens": 1}} if self.usage == "choice" else {}
            on_top = self.count() if self.usage in ("finish", "every") else None
            yield self._chunk({}, self.reason(kind), usage=on_top, on_choice=nested)
        if self.usage in ("extra", "choice"):
            yield {**self.envelope, "choices": [], "usage": self.count()}

    def _chunk(self, delta: dict[str, Any], reason: Any, *, usage: Any = None, on_choice: Any = ()) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "delta": delta, **self.on_choice, **dict(on_choice)}
        if reason != "absent":
            choice["finish_reason"] = reason
        return {**self.envelope, "choices": [choice], **({"usage": usage} if usage else {})}

    def _deltas(self, kind: str) -> Iterator[dict[str, Any]]:
        role = {} if self.role == "absent" else {"role": self.role}
        yield {"role": "assistant", "content": ""}
        if kind == "thinking" and self.reasoning:
            for one in self._thoughts():
                yield {**role, **one}
        if kind == "tools":
            for call in self._calls():
                yield {**role, "content": None, "tool_calls": call}
            return
        for word in WORDS:
            yield {**role, "content": word}

    def _thoughts(self) -> Iterator[dict[str, Any]]:
        if self.reasoning == "think":
            # The tags are cut across events.
            yield from ({"content": piece} for piece in ("<thi", "nk>\n", *THOUGHT, "</th", "ink>\n\n"))
            return
        for piece in THOUGHT:
            if self.reasoning == "both":
                yield {"reasoning": piece, "reasoning_content": piece}
            elif self.reasoning == "details":
                yield {"reasoning_content": piece, "reasoning_details": [{"type": "reasoning.text", "text": piece}]}
            else:
                yield {self.reasoning: piece}

    def _calls(self) -> Iterator[Any]:
        whole = {"id": CALL_ID, "type": "function", "function": {"name": "weather", "arguments": "".join(ARGUMENTS)}}
        if self.tools == "object":
            yield {**whole, "function": {"name": "weather", "arguments": json.loads("".join(ARGUMENTS))}}
        elif self.tools == "at once":
            yield [{"index": 0, **whole}]
        else:
            yield [{"index": 0, **whole, "function": {"name": "weather", "arguments": ""}}]
            again = {"id": "", "type": "function"} if self.tools == "empty ids" else {}
            for piece in ARGUMENTS:
                yield [{"index": 0, **again, "function": {"arguments": piece}}]

    # --- a whole answer ------------------------------------------------------------

    def whole(self, kind: str) -> dict[str, Any]:
        """Return the whole answer."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(WORDS)}
        thought = "".join(THOUGHT)
        if kind == "thinking" and self.reasoning == "think":
            message["content"] = f"<think>\n{thought}</think>\n\n" + message["content"]
        elif kind == "thinking" and self.reasoning:
            names = {"both": ("reasoning", "reasoning_content"), "details": ("reasoning_content",)}
            message |= dict.fromkeys(names.get(self.reasoning, (self.reasoning,)), thought)
        elif kind == "tools":
            arguments: Any = "".join(ARGUMENTS)
            is_object = self.tools == "object"
            function = {"name": "weather", "arguments": json.loads(arguments) if is_object else arguments}
            call = {"id": CALL_ID, "type": "function", "function": function}
            message |= {"content": None, "tool_calls": call if is_object else [call]}
        choice = {"index": 0, "message": message, **self.on_choice}
        if self.ends:
            choice["finish_reason"] = self.reason(kind)
        counts = {} if self.usage == "none" else {"usage": self.count()}
        kept = {**self.envelope, "object": "chat.completion"} if "object" in self.envelope else self.envelope
        return {**kept, "choices": [choice], **counts}


SPARK = {"code": 0, "message": "Success", "sid": "cha000b0003@dx19"}

SHAPES: dict[str, Shape] = {
    "deepseek": Shape(cached="hits", before=": keep-alive\n\n: keep-alive\n\n", before_json="\n\n\n"),
    "kimi": Shape(usage="choice", cached="top"),
    "qwen": Shape(usage="extra", tools="empty ids"),
    "glm": Shape(
        tools="at once", running="absent", role="assistant", filtered="sensitive", long="model_context_window_exceeded"
    ),
    "doubao": Shape(usage="extra"),
    "ernie": Shape(envelope={**OPENAI, "id": "as-1"}, on_choice={"flag": 0, "ban_round": 0}),
    "hunyuan": Shape(filtered="sensitive", envelope={**OPENAI, "note": "generated by AI"}),
    "minimax": Shape(
        usage="whole",
        reasoning="details",
        done=False,
        long="max_output",
        envelope={**OPENAI, "base_resp": {"status_code": 0, "status_msg": ""}},
    ),
    "stepfun": Shape(usage="every", reasoning="both", running="", role=""),
    "longcat": Shape(),
    "pangu": Shape(usage="extra"),
    "baichuan": Shape(reasoning="think", prefix="data:", cached="none", counts_reasoning=False),
    "spark": Shape(
        usage="content",
        tools="object",
        running="absent",
        ends=False,
        cached="none",
        counts_reasoning=False,
        envelope=SPARK,
    ),
    "sensenova": Shape(reasoning="reasoning", running="", prefix="data:", filtered="sensitive", long="context"),
    "zhinao": Shape(usage="none"),
    "yi": Shape(usage="every", reasoning="", cached="none", counts_reasoning=False),
    "internlm": Shape(usage="extra", reasoning="think", cached="none", counts_reasoning=False),
    "vllm": Shape(usage="extra", reasoning="reasoning"),
    "siliconflow": Shape(usage="every"),
    "openrouter": Shape(usage="extra", reasoning="reasoning", before=": OPENROUTER PROCESSING\n\n"),
    "openai": Shape(usage="extra", reasoning=""),
}


def kinds_of(dialect: str) -> list[str]:
    """Return the kinds of answer that this provider can give at all."""
    shape = SHAPES[dialect]
    without = {"thinking"} if not shape.reasoning else set()
    if not shape.ends:  # it never says why it ended
        without |= {"long", "filtered"}
    return [kind for kind in KINDS if kind not in without]


def expected(dialect: str, kind: str) -> dict[str, Any]:
    """Return what the client must get: content, reasoning, arguments, finish reason, counts."""
    shape = SHAPES[dialect]
    known = shape.usage != "none"
    return {
        "content": "" if kind == "tools" else "".join(WORDS),
        "reasoning": "".join(THOUGHT) if kind == "thinking" else "",
        "arguments": "".join(ARGUMENTS) if kind == "tools" else "",
        "finish_reason": EXPECTED_REASONS[kind],
        "input": COUNTS["input"] if known else None,
        "output": COUNTS["output"] if known else None,
        "cached": COUNTS["cached"] if known and shape.cached != "none" else 0,
        "reasoning_tokens": COUNTS["reasoning"] if known and shape.counts_reasoning else 0,
    }


def _answer_as(shape: Shape, kind: str) -> Callable[[Answer], Any]:
    async def say(answer: Answer) -> None:
        if not answer.streams:
            answer.json(200, (shape.before_json + json.dumps(shape.whole(kind))).encode())
            return
        answer.head()
        answer.write(shape.stream(kind))
        answer.end()

    return say


BEHAVIOURS.update({f"shape-{name}-{kind}": _answer_as(shape, kind) for name, shape in SHAPES.items() for kind in KINDS})
