"""What a part found: rows of figures, as one table or as JSON."""

import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

Row = dict[str, Any]

TOLD = ("cpu_in_litellms", "cpu_in_portkeys")
"""Figures that the notes under a table tell."""


def say(text: str) -> None:
    """Tell the progress, beside the report."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, Python {platform.python_version()}"


def take_medians(rows: Iterable[Row]) -> Row:
    """Return one row of the medians of several rows that differ in their figures only."""
    found = list(rows)
    return {name: _middle([row[name] for row in found]) for name in found[0]}


def _middle(values: list[Any]) -> Any:
    return median(values) if isinstance(values[0], float) else values[0]


@dataclass
class Report:
    part: str
    runs: int
    rows: list[Row]
    load: str
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        rows = [{name: _round(value) for name, value in row.items()} for row in self.rows]
        found = {"part": self.part, "runs": self.runs, "load": self.load, "machine": machine()}
        return json.dumps({**found, "missing": self.missing, "notes": self.notes, "rows": rows}, indent=2)

    def as_table(self) -> str:
        text = [*self._lines(), *self.notes, *(f"left out: {missing}" for missing in self.missing)]
        return "\n".join([*text, f"median of {self.runs}; load by {self.load}; {machine()}"])

    def _lines(self) -> list[str]:
        names = [name for name in dict.fromkeys(name for row in self.rows for name in row) if name not in TOLD]
        lines = [names, *([_write(row.get(name, "-")) for name in names] for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
        text = [_align(line, widths) for line in lines if line]
        return [*text[:1], "  ".join("-" * width for width in widths), *text[1:]] if text else []


def _round(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _write(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _align(line: list[str], widths: list[int]) -> str:
    first, *others = zip(line, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(word.rjust(width) for word, width in others)])
