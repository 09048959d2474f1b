"""Pages of long lists: each names the last row that was shown, so that page 1,000 costs what page 1 does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first; ``next`` is the mark of the page that follows, empty at the end."""

    rows: Sequence[Any]
    next: str


def page_by_id(rows: QuerySet[Any], after: str, *, size: int = PAGE) -> Page:
    """Return the page behind the row whose id is ``after``; the first one for anything else."""
    if after.isdecimal() and len(after) < 19:
        rows = rows.filter(pk__lt=int(after))
    found = list(rows.order_by("-pk")[: size + 1])
    return Page(found[:size], str(found[size - 1].pk) if len(found) > size else "")
