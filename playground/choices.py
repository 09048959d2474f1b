"""The models that the Playground offers, and what each can do."""

from dataclasses import dataclass

from billing.models import Price
from billing.pricing import current_prices
from routing.models import Alias, Model, Route
from routing.snapshot import served_models


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to choose: who made it, what it costs now, and whether it takes images."""

    model: Model
    price: Price
    sees: bool


def list_choices() -> list[Choice]:
    """Return the served models that have a price, in the families' order."""
    prices = current_prices()
    served = served_models() & prices.keys()
    models = Model.objects.filter(slug__in=served).select_related("family").order_by("family__position", "slug")
    blind = _blind_models()
    return [Choice(model, prices[model.slug], model.pk not in blind) for model in models]


def _blind_models() -> set[int]:
    """Return the models whose routes take no images; the demo, which stands in where there is no route, does."""
    routes = Route.objects.filter(enabled=True).values_list("pool__model", "images")
    return {model for model, _ in routes} - {model for model, images in routes if images}


def find_choice(choices: list[Choice], name: str) -> Choice | None:
    """Return the choice of this model id, alias or family; None where it isn't served."""
    lowered = name.lower()
    alias = Alias.objects.filter(name__iexact=name).values_list("model__slug", flat=True).first()
    names = {lowered, alias}
    by_model = next((choice for choice in choices if choice.model.slug in names), None)
    return by_model or next((choice for choice in choices if choice.model.family.slug == lowered), None)
