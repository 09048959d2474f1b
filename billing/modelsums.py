"""What a model's requests came to by the hour and by the day, all organizations together.

Changed only by who makes roll-ups, in the transaction in which those change.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Sum

from billing import rows
from billing.models import ModelSum
from billing.sums import DEMO, FIGURES

KEPT = ("completed", "failed", "client_errors", "first_token_ms", "timed", "stream_ms", "stream_tokens")
_PLACES = tuple(FIGURES.index(name) for name in KEPT)
Groups = Mapping[tuple[Any, ...], tuple[int, ...]]
"""(organization, key, user, model, upstream) → figures, in the order of FIGURES."""


def sum_hours(model: str, *, since: datetime) -> dict[str, int]:
    """Return the figures of a model's whole hours since then, by the names in KEPT."""
    hours = ModelSum.objects.filter(span=ModelSum.Span.HOUR, starts_at__gte=since, model=model)
    found = hours.aggregate(**{f"sum_{name}": Sum(name) for name in KEPT})
    return {name: found[f"sum_{name}"] or 0 for name in KEPT}


def add(hour: datetime, groups: Groups, *, instead_of: Groups | None = None) -> None:
    """Add these groups of an hour; ``instead_of`` are those that were counted for it before."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * len(KEPT))
    for sign, counted in ((1, groups), (-1, instead_of or {})):
        for (*_, model, upstream), figures in counted.items():
            if upstream != DEMO:
                sums[model] = [known + sign * figures[at] for known, at in zip(sums[model], _PLACES, strict=True)]
    changed = {model: figures for model, figures in sums.items() if any(figures)}
    if changed:
        _write(hour, changed)


def _write(hour: datetime, sums: Mapping[str, Iterable[int]]) -> None:
    spans = ((ModelSum.Span.HOUR, hour), (ModelSum.Span.DAY, hour.replace(hour=0)))
    values, parameters = rows.values_list(
        [(span.value, at, model, *figures) for span, at in spans for model, figures in sorted(sums.items())]
    )
    changes = ", ".join(f"{name} = billing_modelsum.{name} + excluded.{name}" for name in KEPT)
    rows.execute(
        f"INSERT INTO billing_modelsum (span, starts_at, model, {', '.join(KEPT)}) VALUES {values} "
        f"ON CONFLICT (span, starts_at, model) DO UPDATE SET {changes}",
        parameters,
    )
