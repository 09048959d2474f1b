"""Requests refused before a hold: counted per key, minute and code; the last hundred of each key are kept."""

from collections import Counter, deque
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.keys import KeyRecord
from billing import rows
from billing.models import RefusedRequest

Counts = dict[tuple[int, int, datetime, str], int]
"""(organization id, key id, minute, code) → requests"""

MAX_COUNTS = 10_000
MAX_LATEST = 300
"""So many at a time, of all keys together: on SQLite everybody waits for who writes."""
LATEST_KEPT = 100


class Latest(NamedTuple):
    """One refused request; ``reason`` holds no word of the client's."""

    organization_id: int
    key_id: int
    request: UUID
    refused_at: datetime
    code: str
    param: str
    reason: str


class Refused(NamedTuple):
    """What was refused since the last time."""

    counts: Counts
    latest: list[Latest]


class RefusalCounter:
    """Counts in memory; a flood of refused requests costs the database a row a minute, and the last ones."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, int, datetime, str]] = Counter()
        self._latest: dict[int, deque[Latest]] = {}

    def add(self, key: KeyRecord, code: str, *, request: UUID, param: str = "", reason: str = "") -> None:
        now = timezone.now()
        if len(self._counts) < MAX_COUNTS:
            self._counts[(key.organization_id, key.id, now.replace(second=0, microsecond=0), code)] += 1
        latest = self._latest.get(key.id)
        if latest is None and len(self._latest) < MAX_LATEST:
            latest = self._latest[key.id] = deque(maxlen=LATEST_KEPT)
        if latest is not None:
            latest.append(Latest(key.organization_id, key.id, request, now, code, param[:64], reason[:200]))

    def take(self) -> Refused | None:
        """Return what was refused since the last time, None where nothing was."""
        counts, self._counts = self._counts, Counter()
        latest, self._latest = self._latest, {}
        every = (one for of_key in latest.values() for one in reversed(of_key))
        return Refused(dict(counts), list(islice(every, MAX_LATEST))) if counts else None


@transaction.atomic
def write_refused(refused: Refused) -> None:
    """Add the counts to their rows, and keep the last hundred of each key."""
    values, parameters = rows.values_list([(*place, number) for place, number in sorted(refused.counts.items())])
    rows.execute(
        f"INSERT INTO billing_refusalcount (organization_id, key_id, minute, code, requests) VALUES {values} "
        "ON CONFLICT (key_id, minute, code) DO UPDATE SET requests = billing_refusalcount.requests + excluded.requests",
        parameters,
    )
    latest = sorted(refused.latest, key=lambda one: one.refused_at)
    RefusedRequest.objects.bulk_create(RefusedRequest(**one._asdict()) for one in latest)
    for key in sorted({one.key_id for one in latest}):
        kept = RefusedRequest.objects.filter(key=key).order_by("-pk")
        if older := list(kept.values_list("pk", flat=True)[LATEST_KEPT : LATEST_KEPT + 1]):
            kept.filter(pk__lte=older[0]).delete()
