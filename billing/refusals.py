"""Counts of the requests that were refused before a hold, per key, minute and code."""

from collections import Counter
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.keys import KeyRecord
from billing import rows

Counts = dict[tuple[int, int, datetime, str], int]
"""(organization id, key id, minute, code) → requests"""

MAX_COUNTS = 10_000


class RefusalCounter:
    """Counts in memory; a flood of refused requests costs the database one row a minute."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, int, datetime, str]] = Counter()

    def add(self, key: KeyRecord, code: str) -> None:
        minute = timezone.now().replace(second=0, microsecond=0)
        if len(self._counts) < MAX_COUNTS:
            self._counts[(key.organization_id, key.id, minute, code)] += 1

    def take(self) -> Counts:
        """Return what was counted since the last time."""
        counts, self._counts = self._counts, Counter()
        return dict(counts)


@transaction.atomic
def add_counts(counts: Counts) -> None:
    """Add the counts to their rows."""
    values, parameters = rows.values_list([(*place, number) for place, number in sorted(counts.items())])
    rows.execute(
        f"INSERT INTO billing_refusalcount (organization_id, key_id, minute, code, requests) VALUES {values} "
        "ON CONFLICT (key_id, minute, code) DO UPDATE SET requests = billing_refusalcount.requests + excluded.requests",
        parameters,
    )
