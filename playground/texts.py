"""What a family's page says in its own words: the catalogue's texts with the figures in force."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from playground.comparison import ModelRow
from routing.catalog import load_families
from routing.catalog.pages import PageTexts, Workload

WITH_FIGURES = ("choose", "good", "compares")


def find_texts(row: ModelRow, figures: Mapping[str, str]) -> PageTexts:
    """Return the family's texts with these figures in them; a family without a file gets what its row says of it."""
    texts = _load_texts().get(row.family.slug) or _write_texts(row)
    return replace(texts, **{name: getattr(texts, name).format_map(figures) for name in WITH_FIGURES})


@cache
def _load_texts() -> dict[str, PageTexts]:
    return {facts.slug: facts.page for facts in load_families()}


def _write_texts(row: ModelRow) -> PageTexts:
    family = row.family
    best_for = family.best_for.replace("{", "(").replace("}", ")")
    return PageTexts(
        label="A model route",
        title=f"{family.name} through the OpenAI SDK",
        fits=f"For developers who need: {family.best_for}.",
        choose=f"When the work is one of these: {best_for}. Its context is {{context}} tokens.",
        asked="my work",
        good=f"It is listed for: {best_for}. It is rated {{reasoning}} for reasoning and {{coding}} for coding.",
        compares="Try a prompt of your own on it and on another model, side by side in the Playground.",
        workloads=tuple(Workload(part.strip().capitalize(), "") for part in family.best_for.split(",")),
        cases=(),
    )
