"""Raw rows for the ledger's few hot statements, the same text on PostgreSQL and SQLite.

Lists of rows go in as ``VALUES`` lists of parameters; what differs is named here:
row locks and casts, which SQLite does not have, and how it stores ids and times.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def adapt(value: Any) -> Any:
    """Return the value as the database takes it in a parameter."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, UUID | datetime) and connection.vendor == "sqlite":
        return value.hex if isinstance(value, UUID) else connection.ops.adapt_datetimefield_value(value)
    return value


def read_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def placeholders(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def values_list(rows: Sequence[Sequence[Any]], types: Sequence[str] = ()) -> tuple[str, list[Any]]:
    """Return the text ``(%s, …), (…)`` and its parameters; ``types`` are PostgreSQL's casts."""
    marks = [f"%s::{type_}" for type_ in types] if types and is_postgresql() else ["%s"] * len(rows[0])
    row_text = f"({', '.join(marks)})"
    return ", ".join([row_text] * len(rows)), [adapt(value) for row in rows for value in row]


def execute(sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement; return its rows, none where it gives none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return cursor.fetchall() if cursor.description else []


def insert(
    table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], returning: str = ""
) -> list[tuple[Any, ...]]:
    """Insert the rows that are not there yet; return ``returning`` of those that were inserted."""
    if not rows:
        return []
    head, tail = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ", " ON CONFLICT DO NOTHING"
    if returning:
        tail += f" RETURNING {returning}"
    with connection.cursor() as cursor:
        if is_postgresql():
            cursor.execute(head + _bind(cursor, rows) + tail)
        else:
            values, parameters = values_list(rows)
            cursor.execute(head + values + tail, parameters)
        return cursor.fetchall() if returning else []


def _bind(cursor: Any, rows: Sequence[Sequence[Any]]) -> str:
    """Return the rows as literals, bound by the driver row by row.

    It binds on this side in any case. A text with 2,000 marks it would take apart anew each
    time, at three times the cost of the binding; that of one row it remembers.
    """
    marks = f"({placeholders(rows[0])})"
    with connection.wrap_database_errors:
        return ", ".join([cursor.mogrify(marks, [adapt(value) for value in row]) for row in rows])


DURABLE = (
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
    "ELSE current_setting('synchronous_commit') END, true)"
)


def set_guards() -> None:
    """Bound how long this transaction waits for a locked row and for a statement; make its COMMIT durable.

    All are for this transaction alone, whatever the server, the role or a pooler say.
    """
    if is_postgresql():
        execute(
            "SELECT set_config('lock_timeout', '100ms', true), set_config('statement_timeout', '2s', true), " + DURABLE
        )


def make_durable() -> None:
    """Let this transaction's COMMIT be on the disk before it is told, whatever the server says of others."""
    if is_postgresql():
        execute(f"SELECT {DURABLE}")


def read_clock() -> datetime:
    """Return the database's time: of all clocks the one that processes share."""
    if is_postgresql():
        found: datetime = execute("SELECT clock_timestamp()")[0][0]
        return found
    return datetime.now(UTC)
