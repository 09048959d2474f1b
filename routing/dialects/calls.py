"""Tool calls as OpenAI sends them, whatever pieces a provider makes of them."""

from typing import Any

import orjson

MAX_INDEX = 128


class ToolCalls:
    """The tool calls of one choice: an index on each piece, id and name once, arguments a text."""

    __slots__ = ("_ids", "_named", "_places", "_seed")

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._named: dict[int, bool] = {}
        """Each call that has begun, and whether its name has come."""
        self._ids: dict[int, str] = {}
        self._places: dict[int, int] = {}
        """The provider's index → ours, where it gives one to several calls."""

    def repair(self, calls: Any) -> list[dict[str, Any]]:
        """Return the pieces of a delta as OpenAI sends them."""
        listed = [calls] if isinstance(calls, dict) else calls if isinstance(calls, list) else []
        return [self._repair(call, place) for place, call in enumerate(listed) if isinstance(call, dict)]

    def _repair(self, call: dict[str, Any], place: int) -> dict[str, Any]:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        index = as_index(call.get("index"))
        index = self._guess_index(call, place) if index is None else self._place(index, call, function)
        piece: dict[str, Any] = {"index": index}
        if index not in self._named:
            self._named[index] = False
            piece["id"] = self._ids[index] = as_text(call.get("id")) or f"call_{self._seed}_{index}"
            piece["type"] = "function"
            piece["function"] = {"name": ""}
        name = "" if self._named[index] else as_text(function.get("name"))
        self._named[index] = self._named[index] or bool(name)
        named = {"name": name} if name else piece.get("function", {})
        piece["function"] = {**named, "arguments": as_arguments(function.get("arguments"))}
        return piece

    def _place(self, index: int, call: dict[str, Any], function: dict[str, Any]) -> int:
        """A second call with the index of the first has an id and a name of its own: it gets the next one."""
        ours = self._places.get(index, index)
        if self._named.get(ours) and function.get("name") and as_text(call.get("id")) not in ("", self._ids[ours]):
            ours = self._places[index] = max(self._named) + 1
        return ours

    def _guess_index(self, call: dict[str, Any], place: int) -> int:
        """A piece without an index goes on with the last call, unless it has an id of its own."""
        if self._named and not call.get("id"):
            return max(self._named)
        return max(self._named, default=place - 1) + 1

    def __bool__(self) -> bool:
        return bool(self._named)


def as_arguments(arguments: Any) -> str:
    """Return a call's arguments as the JSON text that OpenAI's are."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else orjson.dumps(arguments).decode()


def as_text(value: Any) -> str:
    """Return a text as it is, anything else as none."""
    return value if isinstance(value, str) else ""


def as_index(value: Any) -> int | None:
    """Return a plausible index, None for anything else."""
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_INDEX
    return value if is_one else None
