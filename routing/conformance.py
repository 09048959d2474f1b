"""How well each family's dialect is proven: per check, by what it was tested.

``catalog/conformance.json`` holds family → check → level. ``scripts/conformance`` writes it from
the tests themselves; a test fails where it is stale.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from routing.catalog import FamilyFacts, load_families
from routing.dialects.meanings import Meaning

PATH = Path(__file__).parent / "catalog" / "conformance.json"

CHECKS: dict[str, str] = {
    "text": "Whole answer",
    "stream": "Stream",
    "usage": "Usage in a stream",
    "reasoning": "Reasoning",
    "tools": "Tool calls",
    "json": "JSON mode",
    "vision": "Images",
    "thinking_off": "Thinking off",
    "cut": "Cut stream",
}

ERROR_CHECKS: dict[str, tuple[str, frozenset[Meaning]]] = {
    "error_credential": ("Bad credential", frozenset({Meaning.BAD_CREDENTIAL})),
    "error_permission": ("No permission", frozenset({Meaning.NO_PERMISSION})),
    "error_balance": ("No balance, plan ended", frozenset({Meaning.NO_BALANCE, Meaning.PLAN_ENDED})),
    "error_rate": ("Rate limit", frozenset({Meaning.RATE_LIMITED})),
    "error_server": ("Overload, server error", frozenset({Meaning.OVERLOADED, Meaning.SERVER_ERROR})),
    "error_model": ("Unknown model", frozenset({Meaning.MODEL_UNKNOWN, Meaning.WRONG_ADDRESS})),
    "error_context": ("Context too long", frozenset({Meaning.CONTEXT_TOO_LONG})),
    "error_filter": ("Content filter", frozenset({Meaning.CONTENT_FILTER})),
    "error_request": ("Bad request", frozenset({Meaning.INVALID_REQUEST})),
}

_TABLES = {
    "Requests and answers": CHECKS,
    "Errors": {check: label for check, (label, _) in ERROR_CHECKS.items()},
}

LEVELS: dict[str, tuple[str, str, str]] = {
    # level: (word, what it means, the badge's kind)
    "recording": ("recording", "Tested against a real answer of the provider.", "ok"),
    "documented": (
        "documented",
        "Tested against the form that the provider documents or that other clients met.",
        "",
    ),
    "unknown": ("unknown", "The provider documents no form: the plain OpenAI one is assumed.", "warn"),
    "none": ("not offered", "The provider, or its model in this catalogue, does not offer it.", ""),
}


@dataclass(frozen=True, slots=True)
class Result:
    """One check of one family."""

    label: str
    level: str

    @property
    def word(self) -> str:
        return LEVELS[self.level][0]

    @property
    def badge(self) -> str:
        return LEVELS[self.level][2]


@dataclass(frozen=True, slots=True)
class Row:
    """A family's line of the table."""

    family: FamilyFacts
    results: list[Result]


@cache
def load_sheet() -> Mapping[str, Mapping[str, str]]:
    """Return family → check → level."""
    sheet: dict[str, dict[str, str]] = json.loads(PATH.read_text(encoding="utf-8"))
    return sheet


def list_halves(family: str) -> list[list[Result]]:
    """Return what is proven for a family, answers and errors; empty for one that the sheet does not know."""
    return [_read_results(family, labels) for labels in _TABLES.values()] if family in load_sheet() else []


def list_tables() -> list[tuple[str, list[str], list[Row]]]:
    """Return the sheet as tables: title, labels of the columns, rows in the catalogue's order."""
    families = sorted(load_families(), key=lambda facts: facts.position)
    return [
        (title, list(labels.values()), [Row(facts, _read_results(facts.slug, labels)) for facts in families])
        for title, labels in _TABLES.items()
    ]


def _read_results(family: str, labels: Mapping[str, str]) -> list[Result]:
    levels = load_sheet().get(family, {})
    return [Result(label, levels[check]) for check, label in labels.items() if check in levels]
