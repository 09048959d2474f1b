"""What a family's page says in the family's own words: the table ``page`` of its file in the catalogue.

``choose``, ``good`` and ``compares`` may name the family's figures in braces, such as
``{context}`` or ``{output}``: they are filled in from what this site serves, so that no
text keeps a number of its own.
"""

from dataclasses import dataclass
from typing import Any, Self


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

    @property
    def shown(self) -> str:
        """The prompt without the empty lines where the reader's text follows."""
        return self.prompt.strip()


@dataclass(frozen=True, slots=True)
class PageTexts:
    """The page's label and title, whom the family fits, three workloads and four cases.

    ``choose`` says when to choose it, ``good`` whether it is good for what is ``asked``,
    and ``compares`` how it differs from its neighbours.
    """

    label: str
    title: str
    fits: str
    choose: str
    asked: str
    good: str
    compares: str
    workloads: tuple[Workload, ...]
    cases: tuple[Case, ...]

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """Raises TypeError where a field is missing or not known."""
        lists = {
            "workloads": tuple(Workload(**each) for each in data["workloads"]),
            "cases": tuple(Case(**each) for each in data["cases"]),
        }
        return cls(**data | lists)
