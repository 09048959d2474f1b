"""The comparison of the model families: a row for each."""

from dataclasses import dataclass

from billing.models import Price
from billing.pricing import current_prices
from routing.catalog import load_families
from routing.models import Family, Model, Route
from routing.snapshot import served_models

ABILITIES = (("tools", "Tools"), ("images", "Images"), ("json", "JSON"), ("thinking", "Thinking"))
"""What a model may carry beside text: the name in an address, and the word on a page."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A family with its model, the price in force (None before the first) and whether this site serves it.

    ``carries`` holds names of ABILITIES: those of its enabled routes together, or where
    there is none of the route that the catalogue lists (``is_listed``).
    """

    family: Family
    model: Model
    price: Price | None
    is_served: bool
    carries: frozenset[str] = frozenset()
    is_listed: bool = False

    @property
    def abilities(self) -> list[str]:
        """The words for what it carries."""
        return [word for name, word in ABILITIES if name in self.carries]

    @property
    def words(self) -> str:
        """What a search looks through, in lower case."""
        family = self.family
        return f"{family.name} {family.company} {family.best_for} {self.model.slug} {' '.join(self.abilities)}".lower()


def list_rows() -> list[ModelRow]:
    """Return a row for each family that has a model, in the families' own order."""
    prices, served, carried, listed = current_prices(), served_models(), _read_carried(), _read_listed()
    rows = []
    for family in Family.objects.prefetch_related("models"):
        models = sorted(family.models.all(), key=lambda model: model.pk)
        if models:
            model = models[0]
            carries = carried.get(model.slug, listed.get(model.slug, frozenset()))
            carries |= {"thinking"} if model.thinks else set()
            is_listed = model.slug not in carried
            rows.append(ModelRow(family, model, prices.get(model.slug), model.slug in served, carries, is_listed))
    return rows


def _read_carried() -> dict[str, frozenset[str]]:
    """Return model slug → what its enabled routes carry together."""
    found: dict[str, frozenset[str]] = {}
    routes = Route.objects.filter(enabled=True).values_list("pool__model__slug", "tools", "images", "json_mode")
    for slug, *flags in routes:
        found[slug] = found.get(slug, frozenset()) | _name_abilities(*flags)
    return found


def _read_listed() -> dict[str, frozenset[str]]:
    """Return model slug → what the route carries that the catalogue lists."""
    sources = ((facts.model.slug, facts.upstream) for facts in load_families())
    return {slug: _name_abilities(source.tools, source.images, source.json_mode) for slug, source in sources}


def _name_abilities(*flags: bool) -> frozenset[str]:
    return frozenset(name for (name, _), flag in zip(ABILITIES, flags, strict=False) if flag)


def served_names(rows: list[ModelRow]) -> list[str]:
    """Return the names that texts may list: what this site serves."""
    return [row.family.name for row in rows if row.is_served]


def first_served() -> str:
    """Return a model that samples may name: the first that is served, else the first of all, else "deepseek"."""
    slugs = Model.objects.order_by("family__position", "family__slug", "pk").values_list("slug", flat=True)
    served = served_models()
    known = list(slugs)
    return next((slug for slug in known if slug in served), known[0] if known else "deepseek")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a row stands among the others: how many there are, ask less for input or output, take more text."""

    others: int
    cheaper_input: int
    cheaper_output: int
    longer: int


def compare(row: ModelRow, rows: list[ModelRow]) -> Standing | None:
    """Count the rows that are cheaper or longer than this one; None where it has no price or no neighbour."""
    others = [other for other in rows if other.family.slug != row.family.slug]
    if row.price is None or not others:
        return None
    prices = [other.price for other in others if other.price]
    return Standing(
        others=len(others),
        cheaper_input=sum(price.input_micros < row.price.input_micros for price in prices),
        cheaper_output=sum(price.output_micros < row.price.output_micros for price in prices),
        longer=sum(other.model.context_length > row.model.context_length for other in others),
    )
