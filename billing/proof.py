"""Checks the books against themselves, on one snapshot of the database.

What must hold is in ``billing/books/rules.py``: limits are the sums of their entries and
open holds, each charge has its record and each record its entries and its hold. Nobody
is made to wait: a snapshot reads without a lock on either database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction

from billing import rows
from billing.books.rules import Difference, Scope, find_differences, rules, whole_rules


@dataclass
class Findings:
    """What a check counted, and the rows that differ, at most a hundred of each rule."""

    started_at: datetime
    open_holds: int
    wallets: int
    entries: int
    records: int
    differences: dict[str, list[Difference]] = field(default_factory=dict)
    difference_count: int = 0


@contextmanager
def snapshot() -> Iterator[None]:
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


def check_books() -> Findings:
    """Compare limits, holds, entries and records with each other, as they are at one moment."""
    with snapshot():
        return check_books_inside()


def check_books_inside(scope: Scope | None = None) -> Findings:
    """The same inside the caller's own transaction; ``scope`` bounds what is looked at."""
    scope = scope or Scope()
    findings = Findings(
        started_at=rows.read_clock(),
        open_holds=_count("billing_hold WHERE state = 'open'", scope),
        wallets=_count("billing_limit WHERE kind = 'wallet'", scope),
        entries=_count("later", scope),
        records=_count("recent", scope),
    )
    looked_at = rules() if scope.proof_id else rules() | whole_rules()
    for rule, sql in looked_at.items():
        count, found = find_differences(sql, scope)
        if count:
            findings.differences[rule] = found
            findings.difference_count += count
    return findings


def _count(what: str, scope: Scope) -> int:
    tables, parameters = scope.tables()
    found: int = rows.execute(f"WITH {tables} SELECT COUNT(*) FROM {what}", parameters)[0][0]
    return found
