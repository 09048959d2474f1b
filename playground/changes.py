"""How models and their prices changed: read from the prices themselves, which never change."""

from dataclasses import dataclass
from datetime import date
from itertools import groupby

from django.utils import timezone

from billing.models import Price
from routing.models import Model

MOST = 400


@dataclass(frozen=True, slots=True)
class Change:
    """A price that began, or will; ``before`` is None for a model's first."""

    model: Model
    price: Price
    before: Price | None
    is_coming: bool

    @property
    def parts(self) -> list[tuple[str, int, int | None]]:
        """What of the price is new: its name, micro-dollars per 1M tokens now and before."""
        before = self.before
        return [
            (name.capitalize(), now, then)
            for name in ("input", "cached", "output")
            for now in [getattr(self.price, f"{name}_micros")]
            for then in [getattr(before, f"{name}_micros") if before else None]
            if now != then
        ]


def list_days() -> list[tuple[date, list[Change]]]:
    """Return the latest changes by the day (UTC) on which they begin, newest first, models in the families' order."""
    known = {model.slug: model for model in Model.objects.select_related("family").order_by("family__position", "pk")}
    found = [change for change in _list_changes(known) if change.parts]
    order = {slug: place for place, slug in enumerate(known)}
    found.sort(key=lambda change: (change.price.starts_at.date(), -order[change.price.model]), reverse=True)
    return [(day, list(group)) for day, group in groupby(found[:MOST], lambda change: change.price.starts_at.date())]


def _list_changes(known: dict[str, Model]) -> list[Change]:
    now, changes = timezone.now(), []
    before: dict[str, Price] = {}
    for price in Price.objects.filter(model__in=known).order_by("starts_at", "pk"):
        changes.append(Change(known[price.model], price, before.get(price.model), price.starts_at > now))
        before[price.model] = price
    return changes
