"""The comparison of the model families: its rows, and the order and filters in its address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from billing.models import Price
from billing.pricing import current_prices
from routing.models import Family, Model
from routing.snapshot import served_models


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A family with its model, the price in force (None before the first) and whether this site serves it."""

    family: Family
    model: Model
    price: Price | None
    is_served: bool


def list_rows() -> list[ModelRow]:
    """Return a row for each family that has a model, in the families' own order."""
    prices, served = current_prices(), served_models()
    rows = []
    for family in Family.objects.prefetch_related("models"):
        models = sorted(family.models.all(), key=lambda model: model.pk)
        if models:
            model = models[0]
            rows.append(ModelRow(family, model, prices.get(model.slug), model.slug in served))
    return rows


def served_names(rows: list[ModelRow]) -> list[str]:
    """Return the names that texts may list: what this site serves."""
    return [row.family.name for row in rows if row.is_served]


def first_served() -> str:
    """Return a model that samples may name: the first that is served, else the first of all, else "deepseek"."""
    slugs = Model.objects.order_by("family__position", "family__slug", "pk").values_list("slug", flat=True)
    served = served_models()
    known = list(slugs)
    return next((slug for slug in known if slug in served), known[0] if known else "deepseek")


SORTS: dict[str, Callable[[ModelRow], Any]] = {
    "name": lambda row: row.family.name.lower(),
    "context": lambda row: row.model.context_length,
    "input": lambda row: row.price.input_micros if row.price else None,
    "output": lambda row: row.price.output_micros if row.price else None,
    "reasoning": lambda row: row.family.reasoning,
    "coding": lambda row: row.family.coding,
}
CONTEXTS = (64_000, 128_000, 200_000)
RATINGS = (3, 4, 5)
COLUMNS = (
    ("name", "Model", "", "asc"),
    ("context", "Context", "num", "desc"),
    ("input", "Input", "num", "asc"),
    ("output", "Output", "num", "asc"),
    ("reasoning", "Reasoning", "", "desc"),
    ("coding", "Coding", "", "desc"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """What an address asks of the table. Words that make no sense are read as nothing."""

    sort: str = ""
    direction: str = "asc"
    served: bool = False
    context: int = 0
    reasoning: int = 0
    coding: int = 0

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Self:
        """Read ``?sort=input&dir=asc&served=1&context=128000&reasoning=4&coding=4``."""
        sort = params.get("sort", "")
        return cls(
            sort=sort if sort in SORTS else "",
            direction="desc" if params.get("dir") == "desc" else "asc",
            served=params.get("served") == "1",
            context=_read_choice(params.get("context"), CONTEXTS),
            reasoning=_read_choice(params.get("reasoning"), RATINGS),
            coding=_read_choice(params.get("coding"), RATINGS),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.served or self.context or self.reasoning or self.coding)

    @property
    def address(self) -> str:
        """Return the query string that asks the same."""
        values = {
            "sort": self.sort,
            "dir": self.direction if self.sort else "",
            "served": "1" if self.served else "",
            "context": self.context,
            "reasoning": self.reasoning,
            "coding": self.coding,
        }
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
