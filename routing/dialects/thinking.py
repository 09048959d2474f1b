"""Thinking, on and off, from the fields that clients know: ``reasoning_effort`` (OpenAI),
``thinking`` (DeepSeek, Anthropic and others), ``reasoning`` (OpenRouter), ``enable_thinking`` (Qwen).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from routing.errors import GatewayError

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FIELDS = ("reasoning_effort", "thinking", "reasoning", "enable_thinking")
REQUIRED, NAMED = "required", "named"
FORCED = frozenset({REQUIRED, NAMED})
"""How a request forces a call: of any tool, of the one that it names."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asked for: ``is_on`` None where it said nothing; ``effort`` where it named one; by which field."""

    is_on: bool | None = None
    effort: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Thinking:
    """How one model is told: what goes into the body for on and off (``off`` None: it always thinks).

    ``efforts`` maps the public words to the provider's; a word that is missing is left out.
    ``always`` goes into each body that does not turn thinking off.
    ``unforced``: in which ways ``tool_choice`` may not force a tool while it thinks.
    """

    on: Mapping[str, Any] = field(default_factory=dict)
    off: Mapping[str, Any] | None = None
    efforts: Mapping[str, str] = field(default_factory=dict)
    always: Mapping[str, Any] = field(default_factory=dict)
    unforced: frozenset[str] = frozenset()

    def apply(self, body: dict[str, Any]) -> list[str]:
        """Put the client's wish into the provider's words; return what was dropped. Raises GatewayError."""
        wish = read_wish(body)
        for name in FIELDS:
            body.pop(name, None)
        dropped = []
        if wish.is_on is not False and _read_force(body) in self.unforced:
            wish = self._make_way(wish)
            dropped.append("thinking")
        if wish.is_on is False:
            self._turn_off(body, wish)
            return dropped
        body.update(self.always)
        if wish.is_on:
            body.update(self.on)
            if wish.effort and (effort := self.efforts.get(wish.effort)):
                body["reasoning_effort"] = effort
            elif wish.effort:
                dropped.append(wish.field)
        return dropped

    def _make_way(self, wish: Wish) -> Wish:
        """Return the wish of a request that forces a tool: without thinking, unless thinking was asked for."""
        if wish.is_on or self.off is None:
            problem = "This model can't be forced to call a tool while it thinks: use `auto`, or turn thinking off."
            raise GatewayError("unsupported_parameter", problem, "tool_choice")
        return Wish(is_on=False, field="tool_choice")

    def _turn_off(self, body: dict[str, Any], wish: Wish) -> None:
        if self.off is None:
            raise GatewayError("unsupported_parameter", "This model always thinks.", wish.field)
        body.update(self.off)


def read_wish(body: Mapping[str, Any]) -> Wish:
    """Return what the client said about thinking. Raises GatewayError for words that mean nothing."""
    effort = body.get("reasoning_effort")
    if effort is not None:
        return _wish_of(effort, "reasoning_effort")
    thinking = body.get("thinking")
    if isinstance(thinking, dict):
        kind = thinking.get("type")
        if kind not in ("enabled", "disabled", "auto", "adaptive"):
            raise GatewayError("invalid_request", "`thinking.type` is enabled or disabled.", "thinking")
        return Wish(None if kind in ("auto", "adaptive") else kind == "enabled", field="thinking")
    if isinstance(thinking, bool):
        return Wish(thinking, field="thinking")
    reasoning = body.get("reasoning")
    if isinstance(reasoning, dict):
        if reasoning.get("effort") is not None:
            return _wish_of(reasoning["effort"], "reasoning")
        return Wish(reasoning.get("enabled") if isinstance(reasoning.get("enabled"), bool) else None, field="reasoning")
    switch = body.get("enable_thinking")
    return Wish(switch, field="enable_thinking") if isinstance(switch, bool) else Wish()


def _wish_of(effort: Any, name: str) -> Wish:
    if effort not in EFFORTS:
        raise GatewayError("invalid_request", f"`{name}` is one of {', '.join(EFFORTS)}.", name)
    return Wish(effort != "none", "" if effort == "none" else effort, name)


def _read_force(body: Mapping[str, Any]) -> str:
    """Return how a request forces a tool, '' where it does not."""
    choice = body.get("tool_choice")
    return NAMED if isinstance(choice, dict) else REQUIRED if choice == REQUIRED else ""
