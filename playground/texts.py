"""What a family's page says in its own words: one TOML file a family in playground/families/."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from routing.models import Family

FOLDER = Path(__file__).parent / "families"


@dataclass(frozen=True, slots=True)
class Workload:
    """What a family suits, in a title and a sentence."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """A use and the prompt to begin with."""

    title: str
    prompt: str


@dataclass(frozen=True, slots=True)
class FamilyTexts:
    """The label and title of the page, whom the family fits, three workloads and four cases."""

    label: str
    title: str
    fits: str
    workloads: tuple[Workload, ...]
    cases: tuple[Case, ...]


@cache
def load_texts() -> dict[str, FamilyTexts]:
    """Return family slug → texts; a KeyError or TypeError names a broken file's field."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}


def find_texts(family: Family) -> FamilyTexts:
    """Return the family's texts; a family without a file gets what the catalogue says of it."""
    return load_texts().get(family.slug) or FamilyTexts(
        label="A model route",
        title=f"{family.name} through the OpenAI SDK",
        fits=f"For developers who need: {family.best_for}.",
        workloads=tuple(Workload(part.strip().capitalize(), "") for part in family.best_for.split(",")),
        cases=(),
    )


def _read(path: Path) -> FamilyTexts:
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return FamilyTexts(
        workloads=tuple(Workload(**each) for each in data.pop("workloads")),
        cases=tuple(Case(**each) for each in data.pop("cases")),
        **data,
    )
