"""Reckons the charges of the last days anew, from the records' tokens and their pinned prices.

A record's charge and what of it was not collected must be what its tokens cost, and its
entries in the ledger must be the charge. Records are read in short chunks by their time:
one statement sees a record and its entries as they are at one moment, and stops nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing import money, rows
from billing.books.rules import MOST_ROWS, uuid_text
from billing.models import ReconcileRun, UsageRecord

LOOKS_BACK = timedelta(days=2)
CHUNK = 1000

# A record whose transaction is still under way is seen by the next run: each day is looked at twice.
RECORDS = """
    SELECT u.created_at, u.id, u.input_tokens, u.cached_tokens, u.output_tokens,
        p.input_micros, p.cached_micros, p.output_micros,
        u.charge_nanos, u.uncollected_nanos, u.cost_nanos, u.count_source, (
            SELECT -COALESCE(SUM(e.amount_nanos), 0) FROM billing_ledgerentry e
            WHERE e.kind IN ('charge', 'adjustment') AND e.reference = {reference} AND e.request = u.id
        )
    FROM billing_usagerecord u JOIN billing_price p ON p.id = u.price_id
    WHERE u.created_at >= %s AND u.created_at < %s AND (u.created_at > %s OR u.id > %s)
    ORDER BY u.created_at, u.id LIMIT %s
"""


@dataclass
class Figures:
    """What the records came to; amounts in nano-dollars. The first hundred differences are named."""

    records: int = 0
    charge_nanos: int = 0
    cost_nanos: int = 0
    uncollected_nanos: int = 0
    estimated: int = 0
    difference_count: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: tuple[Any, ...]) -> None:
        id_, into, cached, out = row[1:5]
        charge, uncollected, cost, source, booked = row[8:]
        self.records += 1
        self.charge_nanos += charge
        self.uncollected_nanos += uncollected
        self.cost_nanos += cost or 0
        self.estimated += source != UsageRecord.CountSource.PROVIDER
        wanted = money.charge(into, cached, out, row[5:8])
        self._compare("charge and uncollected are not tokens × price", id_, charge + uncollected, wanted)
        self._compare("entries are not the charge", id_, int(booked), charge)

    def _compare(self, rule: str, id_: Any, found: int, expected: int) -> None:
        if found == expected:
            return
        self.difference_count += 1
        if len(self.differences) < MOST_ROWS:
            row = {"id": str(rows.read_uuid(id_)), "found": found, "expected": expected}
            self.differences.append({"rule": rule} | row)


def reconcile(*, begins_at: datetime | None = None, until: datetime | None = None) -> ReconcileRun:
    """Compare the records of [begins_at, until), the last two days unless told otherwise; store what came out."""
    started_at = rows.read_clock()
    until = until or started_at
    begins_at = begins_at or until - LOOKS_BACK
    figures = add_up(begins_at, until)
    return ReconcileRun.objects.create(
        started_at=started_at,
        ended_at=rows.read_clock(),
        begins_at=begins_at,
        until=until,
        **vars(figures),
    )


def add_up(begins_at: datetime, until: datetime) -> Figures:
    """Return what the records of [begins_at, until) come to; only reads."""
    figures = Figures()
    for row in _read_records(begins_at, until):
        figures.add(row)
    return figures


def _read_records(begins_at: datetime, until: datetime) -> Iterator[tuple[Any, ...]]:
    query = RECORDS.format(reference=uuid_text("u.id"))
    at, id_ = rows.adapt(begins_at), rows.adapt(UUID(int=0))
    while chunk := rows.execute(query, [at, rows.adapt(until), at, id_, CHUNK]):
        yield from chunk
        at, id_ = chunk[-1][:2]
