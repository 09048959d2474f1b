"""The Markdown fence that models put around JSON where nothing but JSON was asked for."""

from typing import Any

import orjson

FENCE = "```"
LONGEST_OPENING = 20
"""Characters of the fence's first line, its language among them."""


def unfence(text: Any) -> Any:
    """Return a JSON text without the Markdown fence around it; whatever else it is, as it is."""
    if not isinstance(text, str) or not (bare := text.strip()).startswith(FENCE) or not bare.endswith(FENCE):
        return text
    inside = bare.removeprefix(FENCE).removesuffix(FENCE).removeprefix("json").strip()
    try:
        orjson.loads(inside)
    except orjson.JSONDecodeError:
        return text
    return inside


class FenceRemover:
    """Takes the fence off JSON that comes in pieces."""

    __slots__ = ("_kept", "_state")

    def __init__(self) -> None:
        self._kept = ""
        self._state = "before"

    def take(self, text: str) -> str:
        """Return what can be told by now to be no part of a fence."""
        text, self._kept = self._kept + text, ""
        if self._state == "before":
            text = self._open(text)
        if self._state != "inside":
            return text
        end = len(text.rstrip("` \r\n\t"))
        self._kept = text[end:]
        return text[:end]

    def _open(self, text: str) -> str:
        bare = text.lstrip()
        first, has_line, rest = bare.partition("\n")
        may_open = bare.startswith(FENCE) if len(bare) >= len(FENCE) else FENCE.startswith(bare)
        if may_open and not has_line and len(bare) <= LONGEST_OPENING:
            self._kept = text
            return ""
        is_open = may_open and bool(has_line) and len(first) <= LONGEST_OPENING
        self._state = "inside" if is_open else "plain"
        return rest if is_open else text

    def finish(self) -> str:
        """Return what was held back when the answer ends and is no closing fence."""
        kept, self._kept = self._kept, ""
        return "" if self._state == "inside" and kept.strip() == FENCE else kept
