"""What each organization's ledger came to by the hour and kind: a statement need not read every entry.

1. Entries never change and never go, so that what is summed once stays right. Their ids show
   how far the sums go: entries of a wallet are written under its lock, one after the other.
2. A chunk is summed in one transaction, in which a row of ``Mark`` lets other workers wait. It ends
   before the first entry beside whose transaction another one with a lower id may still run.
3. Who reads adds what came behind the last entry in the sums, in the same statement.
"""

from collections import defaultdict
from datetime import datetime
from itertools import takewhile
from time import monotonic, sleep
from typing import Any

from django.db import transaction
from django.db.models import Max

from accounts.models import Organization
from billing import rows
from billing.models import LedgerEntry, LedgerSum
from billing.rollups import LAG, PAUSES, read_horizon
from billing.sums import EPOCH, HOUR, NEVER, ceil_hour, floor_hour

WORKER = "ledger_summed"
"""Name of the mark at which workers take turns."""
CHUNK = 2000

Group = tuple[int, datetime, str]
"""organization, hour, kind"""


def sum_up() -> int:
    """Add the entries that came since the last time; return how many."""
    # An entry's time is read a little before it has its id: its transaction takes no longer than LAG.
    horizon, added = read_horizon() - LAG, 0
    while True:
        began_at = monotonic()
        chunk = _add_chunk(horizon)
        if not chunk:
            return added
        added += chunk
        sleep(PAUSES * (monotonic() - began_at))


@transaction.atomic
def _add_chunk(horizon: datetime) -> int:
    rows.execute(
        "INSERT INTO billing_mark (name, at) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        [WORKER, rows.adapt(horizon)],
    )
    last = LedgerSum.objects.aggregate(last=Max("last_entry"))["last"] or 0
    later = LedgerEntry.objects.filter(pk__gt=last).order_by("pk")
    found = later.values_list("pk", "created_at", "organization_id", "kind", "amount_nanos")[:CHUNK]
    entries = list(takewhile(lambda entry: entry[1] < horizon, found))
    if entries:
        _write(_group(entries))
    return len(entries)


def _group(entries: list[tuple[Any, ...]]) -> dict[Group, list[int]]:
    """Return the groups with their sum, their first and their last entry."""
    groups: dict[Group, list[int]] = defaultdict(lambda: [0, 0, 0])
    for id_, created_at, organization, kind, nanos in entries:
        group = groups[organization, floor_hour(created_at), kind]
        group[:] = group[0] + nanos, group[1] or id_, id_
    return groups


def _write(groups: dict[Group, list[int]]) -> None:
    values, parameters = rows.values_list([(*place, *groups[place]) for place in sorted(groups)])
    rows.execute(
        "INSERT INTO billing_ledgersum (organization_id, hour, kind, amount_nanos, first_entry, last_entry) "
        f"VALUES {values} ON CONFLICT (organization_id, hour, kind) DO UPDATE SET "
        "amount_nanos = billing_ledgersum.amount_nanos + excluded.amount_nanos, last_entry = excluded.last_entry",
        parameters,
    )


# --- reading -----------------------------------------------------------------


def sum_entries(
    *, organization: Organization, since: datetime = EPOCH, until: datetime = NEVER
) -> dict[LedgerEntry.Kind, int]:
    """Return kind → nano-dollars of an organization's entries in [since, until); no kind without an entry."""
    id_, first, end = organization.pk, ceil_hour(since), floor_hour(until)
    [[known]] = rows.execute(LAST, [id_])
    parts = [WHOLE, BEHIND]
    parameters: list[Any] = [id_, first, end, id_, since, until, known, id_]
    for hour in sorted({floor_hour(since), floor_hour(until)}):
        begin, over = max(hour, since), min(hour + HOUR, until)
        if hour < begin < over or hour < over < hour + HOUR:
            parts.append(PART)
            parameters += [id_, hour, begin, over]
    found = rows.execute(
        f"SELECT kind, SUM(amount_nanos) FROM ({' UNION ALL '.join(parts)}) AS found GROUP BY kind",
        [rows.adapt(value) for value in parameters],
    )
    return {LedgerEntry.Kind(kind): int(nanos) for kind, nanos in found}


WHOLE = "SELECT kind, amount_nanos FROM billing_ledgersum WHERE organization_id = %s AND hour >= %s AND hour < %s"
LAST = "SELECT COALESCE(MAX(last_entry + 0), 0) FROM billing_ledgersum WHERE organization_id = %s"
"""Reckoned with, so that the organization's own rows are read: by the index, those of all others may come first."""
BEHIND = (
    "SELECT kind, amount_nanos FROM billing_ledgerentry WHERE organization_id = %s AND created_at >= %s "
    f"AND created_at < %s AND id > %s AND id > ({LAST})"
)
"""The last entry as it was a moment ago lets the database expect few; as it is now, it decides."""
PART = (
    "SELECT e.kind, e.amount_nanos FROM billing_ledgersum s JOIN billing_ledgerentry e "
    "ON e.organization_id = s.organization_id AND e.kind = s.kind AND e.id BETWEEN s.first_entry AND s.last_entry "
    "WHERE s.organization_id = %s AND s.hour = %s AND e.created_at >= %s AND e.created_at < %s"
)
"""The summed entries of an hour that belongs to the span in part."""
