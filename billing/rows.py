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
    if connection.vendor == "sqlite":
        if isinstance(value, UUID):
            return value.hex
        if isinstance(value, datetime):
            return connection.ops.adapt_datetimefield_value(value)
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
    values, parameters = values_list(rows)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT DO NOTHING"
    return execute(f"{sql} RETURNING {returning}" if returning else sql, parameters)


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
