"""What an address asks of the comparison table: an order and filters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from playground.comparison import ABILITIES, ModelRow

SORTS: dict[str, Callable[[ModelRow], Any]] = {
    "name": lambda row: row.family.name.lower(),
    "context": lambda row: row.model.context_length,
    "input": lambda row: row.price.input_micros if row.price else None,
    "output": lambda row: row.price.output_micros if row.price else None,
    "reasoning": lambda row: row.family.reasoning,
    "coding": lambda row: row.family.coding,
}
COLUMNS = (
    ("name", "Model", "", "asc"),
    ("context", "Context", "num", "desc"),
    ("input", "Input", "num", "asc"),
    ("output", "Output", "num", "asc"),
    ("reasoning", "Reasoning", "", "desc"),
    ("coding", "Coding", "", "desc"),
)
ORDERS = (
    ("name", "Name"),
    ("context", "Longest context"),
    ("input", "Cheapest input"),
    ("output", "Cheapest output"),
    ("reasoning", "Best at reasoning"),
    ("coding", "Best at coding"),
)
FIRST = {name: first for name, _, _, first in COLUMNS}
CHOICES = {
    "context": (64_000, 128_000, 200_000),
    "input": (500_000, 800_000, 1_000_000),
    "output": (1_000_000, 2_000_000, 3_000_000, 4_000_000),
    "reasoning": (3, 4, 5),
    "coding": (3, 4, 5),
}
"""Filters by a number: context in tokens and ratings at least, prices in micro-dollars per 1M tokens at most."""


@dataclass(frozen=True, slots=True)
class Question:
    """An order and filters. Words that make no sense are read as nothing."""

    q: str = ""
    sort: str = ""
    direction: str = "asc"
    served: bool = False
    context: int = 0
    input: int = 0
    output: int = 0
    reasoning: int = 0
    coding: int = 0
    needs: tuple[str, ...] = ()

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Self:
        """Read ``?q=agents&sort=input&dir=asc&served=1&context=128000&output=2000000&tools=1``."""
        sort = params.get("sort", "") if params.get("sort", "") in SORTS else ""
        direction = params.get("dir", "")
        return cls(
            q=" ".join(str(params.get("q", "")).split())[:60],
            sort=sort,
            direction=direction if direction in ("asc", "desc") else FIRST.get(sort, "asc"),
            served=params.get("served") == "1",
            needs=tuple(name for name, _ in ABILITIES if params.get(name) == "1"),
            **{name: _read_choice(params.get(name), choices) for name, choices in CHOICES.items()},
        )

    @property
    def is_filtered(self) -> bool:
        return replace(self, sort="", direction="asc") != type(self)()

    @property
    def address(self) -> str:
        """Return the query string that asks the same."""
        values: dict[str, Any] = {"q": self.q, "sort": self.sort, "dir": self.direction if self.sort else ""}
        values |= {"served": int(self.served)} | {name: getattr(self, name) for name in CHOICES}
        values |= dict.fromkeys(self.needs, 1)
        return "?" + urlencode({name: value for name, value in values.items() if value})

    def answer(self, rows: list[ModelRow]) -> list[ModelRow]:
        """Return the rows that fit, in the order asked for; rows without a price come last."""
        found = [row for row in rows if self._fits(row)]
        if not self.sort:
            return found
        key = SORTS[self.sort]
        known = [row for row in found if key(row) is not None]
        unknown = [row for row in found if key(row) is None]
        return sorted(known, key=key, reverse=self.direction == "desc") + unknown

    def _fits(self, row: ModelRow) -> bool:
        return (
            (row.is_served or not self.served)
            and row.model.context_length >= self.context
            and row.family.reasoning >= self.reasoning
            and row.family.coding >= self.coding
            and row.carries.issuperset(self.needs)
            and _is_within(row, "input_micros", self.input)
            and _is_within(row, "output_micros", self.output)
            and all(word in row.words for word in self.q.lower().split())
        )

    def columns(self) -> list[dict[str, str]]:
        """Return the heads of the table: each links to its own order, the present one to its opposite."""
        return [self._column(*column) for column in COLUMNS]

    def _column(self, name: str, label: str, kind: str, first: str) -> dict[str, str]:
        is_here = self.sort == name
        other = {"asc": "desc", "desc": "asc"}[self.direction]
        asked = replace(self, sort=name, direction=other if is_here else first)
        order = {"asc": "ascending", "desc": "descending"}[self.direction] if is_here else ""
        return {"label": label, "kind": kind, "href": asked.address, "order": order}


def _read_choice(text: Any, choices: tuple[int, ...]) -> int:
    return next((choice for choice in choices if str(choice) == text), 0)


def _is_within(row: ModelRow, price: str, most: int) -> bool:
    return not most or (row.price is not None and getattr(row.price, price) <= most)
