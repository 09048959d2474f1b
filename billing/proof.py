"""Checks the books against themselves, on one snapshot of the database.

- a wallet's limit is the sum of its credits, its balance the sum of all its entries;
- what is spent in a limit is the sum of the charges that name it;
- what is held in a limit is the sum of its open holds;
- every record with a charge has its entries, and every charge its record.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from billing import rows

REQUEST_KINDS = "('charge', 'adjustment')"

QUERIES = {
    "wallet limit is not the sum of its credits": """
        SELECT l.id, l.limit_nanos, COALESCE(SUM(e.amount_nanos), 0) FROM billing_limit l
        LEFT JOIN billing_ledgerentry e ON e.wallet_id = l.id AND e.request IS NULL
        WHERE l.kind = 'wallet' GROUP BY l.id, l.limit_nanos HAVING l.limit_nanos <> COALESCE(SUM(e.amount_nanos), 0)
    """,
    "charge without its record": f"""
        SELECT e.id, e.amount_nanos, 0 FROM billing_ledgerentry e
        LEFT JOIN billing_usagerecord u ON u.id = e.request
        WHERE e.kind IN {REQUEST_KINDS} AND e.request IS NOT NULL AND u.id IS NULL
    """,
    "record's charge is not the sum of its entries": """
        SELECT u.id, u.charge_nanos, -COALESCE(SUM(e.amount_nanos), 0) FROM billing_usagerecord u
        LEFT JOIN billing_ledgerentry e ON e.request = u.id
        GROUP BY u.id, u.charge_nanos HAVING u.charge_nanos <> -COALESCE(SUM(e.amount_nanos), 0)
    """,
    "record's charge is not its hold's": """
        SELECT u.id, u.charge_nanos, h.charged_nanos FROM billing_usagerecord u
        JOIN billing_hold h ON h.id = u.id WHERE h.state <> 'open' AND h.charged_nanos <> u.charge_nanos
    """,
}
for column in ("wallet", "day", "month"):
    kind = {"wallet": "wallet", "day": "key_day", "month": "key_month"}[column]
    QUERIES[f"{column}: spent is not the sum of its charges"] = f"""
        SELECT l.id, l.spent_nanos, -COALESCE(SUM(e.amount_nanos), 0) FROM billing_limit l
        LEFT JOIN billing_ledgerentry e ON e.{column}_id = l.id AND e.request IS NOT NULL
        WHERE l.kind = '{kind}' GROUP BY l.id, l.spent_nanos HAVING l.spent_nanos <> -COALESCE(SUM(e.amount_nanos), 0)
    """
    QUERIES[f"{column}: held is not the sum of its open holds"] = f"""
        SELECT l.id, l.held_nanos, COALESCE(SUM(h.amount_nanos), 0) FROM billing_limit l
        LEFT JOIN billing_hold h ON h.{column}_id = l.id AND h.state = 'open'
        WHERE l.kind = '{kind}' GROUP BY l.id, l.held_nanos HAVING l.held_nanos <> COALESCE(SUM(h.amount_nanos), 0)
    """


@dataclass
class Proof:
    """What a check counted, and the rows that differ: rule → [(id, found, expected)]."""

    open_holds: int
    wallets: int
    entries: int
    records: int
    differences: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    @property
    def difference_count(self) -> int:
        return sum(len(found) for found in self.differences.values())


@contextmanager
def _snapshot() -> Iterator[None]:
    """See the database as it is at one moment, without stopping anybody."""
    if connection.vendor == "postgresql":
        with transaction.atomic():
            rows.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    # Django's atomic() would take SQLite's write lock (IMMEDIATE): a plain BEGIN only reads.
    rows.execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        rows.execute("ROLLBACK")


def check_books() -> Proof:
    """Compare limits, holds, entries and records with each other, as they are at one moment."""
    with _snapshot():
        return check_books_inside()


def check_books_inside() -> Proof:
    """The same inside the caller's own transaction."""
    proof = Proof(
        open_holds=_count("billing_hold WHERE state = 'open'"),
        wallets=_count("billing_limit WHERE kind = 'wallet'"),
        entries=_count("billing_ledgerentry"),
        records=_count("billing_usagerecord"),
    )
    for rule, sql in QUERIES.items():
        if found := rows.execute(sql):
            proof.differences[rule] = found
    return proof


def _count(what: str) -> int:
    found: int = rows.execute(f"SELECT COUNT(*) FROM {what}")[0][0]
    return found
