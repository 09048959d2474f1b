"""What a model's requests came to by the hour and by the day, all organizations together.

Changed only by who makes roll-ups, in the transaction in which those change.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from billing import rows
from billing.models import ModelSum
from billing.sums import DEMO, FIGURES

KEPT = ("completed", "failed", "client_errors", "first_token_ms", "timed")
_PLACES = tuple(FIGURES.index(name) for name in KEPT)
Groups = Mapping[tuple[Any, ...], tuple[int, ...]]
"""(organization, key, user, model, upstream) → figures, in the order of FIGURES."""


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
