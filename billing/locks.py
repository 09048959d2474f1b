"""The one order in which money is locked: limits by id, then holds by id, before any insert.

Gateway, sweeper, admin, payments and Celery all lock through these functions, so
that no two of them wait for each other in a circle. PostgreSQL takes FOR NO KEY
UPDATE, which goes together with the KEY SHARE locks of inserts that refer to a row.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from billing import rows


class Standing(NamedTuple):
    """How a limit stood at a moment, in nano-dollars; ``left`` is None where there is no budget."""

    spent: int
    held: int
    left: int | None


Standings = dict[str, Standing]
"""Limit kind → how it stood."""


@dataclass(slots=True)
class LimitRow:
    """A locked limit; ``take`` and ``spend`` keep it right while a batch is decided."""

    id: int
    kind: str
    limit: int | None
    spent: int
    held: int

    @property
    def free(self) -> int | None:
        return None if self.limit is None else self.limit - self.spent - self.held

    @property
    def standing(self) -> Standing:
        return Standing(self.spent, self.held, self.free)


@dataclass(slots=True)
class HoldRow:
    """A locked hold, as far as ending it needs it."""

    id: UUID
    state: str
    amount: int
    charged: int
    uncollected: int
    wallet_id: int
    day_id: int
    month_id: int
    output_limit: int

    @property
    def limit_ids(self) -> tuple[int, int, int]:
        return (self.wallet_id, self.day_id, self.month_id)


def _suffix(skip_locked: bool) -> str:
    if not rows.is_postgresql():
        return ""
    return " FOR NO KEY UPDATE SKIP LOCKED" if skip_locked else " FOR NO KEY UPDATE"


def lock_limits(ids: Collection[int], *, skip_locked: bool = False) -> dict[int, LimitRow]:
    """Lock these limits in the order of their ids; with ``skip_locked`` leave out those somebody has."""
    return read_limits(rows.execute(*limits_query(ids, skip_locked))) if ids else {}


def limits_query(ids: Collection[int], skip_locked: bool) -> rows.Statement:
    """Return the statement of ``lock_limits``; its result is read by ``read_limits``."""
    condition, parameters = rows.one_of(sorted(ids))
    sql = f"SELECT id, kind, limit_nanos, spent_nanos, held_nanos FROM billing_limit WHERE id {condition} ORDER BY id"
    return sql + _suffix(skip_locked), parameters


def read_limits(found: rows.Rows) -> dict[int, LimitRow]:
    return {row[0]: LimitRow(*row) for row in found}


def lock_holds(ids: Collection[UUID], *, skip_locked: bool = False) -> dict[UUID, HoldRow]:
    """Lock these holds in the order of their ids. Lock their limits first.

    With ``skip_locked``, a hold that somebody has is left out as one that is missing is: see ``find_locked``.
    """
    return read_holds(rows.execute(*holds_query(ids, skip_locked))) if ids else {}


def holds_query(ids: Collection[UUID], skip_locked: bool) -> rows.Statement:
    """Return the statement of ``lock_holds``; its result is read by ``read_holds``."""
    condition, parameters = rows.one_of(sorted(ids))
    sql = (
        "SELECT id, state, amount_nanos, charged_nanos, uncollected_nanos, wallet_id, day_id, month_id, output_limit "
        f"FROM billing_hold WHERE id {condition} ORDER BY id"
    )
    return sql + _suffix(skip_locked), parameters


def read_holds(found: rows.Rows) -> dict[UUID, HoldRow]:
    return {row.id: row for row in map(_read_hold, found)}


def find_locked(ids: Collection[UUID], locked: Collection[UUID]) -> set[UUID]:
    """Return those of these holds that are there, but were left out because somebody has locked them."""
    missing = [id_ for id_ in ids if id_ not in locked]
    if not missing or not rows.is_postgresql():
        return set()
    found = rows.execute(f"SELECT id FROM billing_hold WHERE id IN ({rows.placeholders(missing)})", missing)
    return {row[0] for row in found}


def _read_hold(row: tuple[Any, ...]) -> HoldRow:
    return HoldRow(rows.read_uuid(row[0]), *row[1:])


class LimitChanges:
    """Sums of what a batch adds to ``spent`` and ``held`` of each limit; written in one statement."""

    def __init__(self) -> None:
        self._sums: dict[int, list[int]] = {}

    def add(self, ids: Collection[int], *, spent: int = 0, held: int = 0, limit: int = 0) -> None:
        for id_ in ids:
            sums = self._sums.setdefault(id_, [0, 0, 0])
            sums[0] += spent
            sums[1] += held
            sums[2] += limit

    def write(self) -> None:
        rows.execute_all(self.statements())

    def statements(self) -> list[rows.Statement]:
        """Return the statement that writes them, none where nothing changes."""
        if not self._sums:
            return []
        source, parameters = rows.table(
            {"limit_id": "bigint", "spent": "bigint", "held": "bigint", "more": "bigint"},
            [(id_, *sums) for id_, sums in sorted(self._sums.items())],
        )
        sql = (
            f"WITH change (limit_id, spent, held, more) AS ({source}) "
            "UPDATE billing_limit SET spent_nanos = spent_nanos + change.spent, "
            "held_nanos = held_nanos + change.held, limit_nanos = limit_nanos + change.more "
            "FROM change WHERE billing_limit.id = change.limit_id"
        )
        return [(sql, parameters)]
