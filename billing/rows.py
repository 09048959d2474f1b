"""Raw rows for the ledger's few hot statements, the same text on PostgreSQL and SQLite.

What differs is named here: lists of rows, which go in as JSON in one parameter and on SQLite
as ``VALUES`` lists of parameters; row locks and casts, which SQLite does not have, and how it
stores ids and times.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connection, connections, transaction
from psycopg.pq import TransactionStatus

from billing import pipeline

Rows = pipeline.Rows
Statement = tuple[str, Sequence[Any]]
"""A text and its parameters."""
PLAIN = frozenset({int, str, bool, type(None)})
"""What every database takes as it is."""


@cache
def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def adapt(value: Any) -> Any:
    """Return the value as the database takes it in a parameter."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, UUID | datetime) and not is_postgresql():
        return value.hex if isinstance(value, UUID) else _adapt_time(value)
    return value


@lru_cache(maxsize=256)
def _adapt_time(value: datetime) -> Any:
    """All rows of a batch have its time."""
    return connection.ops.adapt_datetimefield_value(value)


def read_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def placeholders(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def values_list(rows: Sequence[Sequence[Any]], types: Sequence[str] = ()) -> tuple[str, list[Any]]:
    """Return the text ``(%s, …), (…)`` and its parameters; ``types`` are PostgreSQL's casts."""
    marks = [f"%s::{type_}" for type_ in types] if types and is_postgresql() else ["%s"] * len(rows[0])
    row_text = f"({', '.join(marks)})"
    # Most values are plain, and a call for each is most of the work.
    values = [value if type(value) in PLAIN else adapt(value) for row in rows for value in row]
    return ", ".join([row_text] * len(rows)), values


def execute(sql: str, parameters: Iterable[Any] = ()) -> Rows:
    """Run one statement; return its rows, none where it gives none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return cursor.fetchall() if cursor.description else []


def execute_all(statements: Sequence[Statement]) -> list[Rows]:
    """Run statements one after the other; return the rows of each."""
    return [execute(*statement) for statement in statements]


def insert(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], returning: str = "") -> Rows:
    """Insert the rows that are not there yet; return ``returning`` of those that were inserted."""
    return execute(*insert_statement(table, columns, rows, returning)) if rows else []


def insert_statement(
    table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], returning: str = "", where: str = ""
) -> Statement:
    """Return the statement that inserts those of these rows, one at the least, that are not there yet.

    ``where`` chooses among them, on PostgreSQL.
    """
    names = ", ".join(columns)
    if is_postgresql():
        # One text for all rows: to bind 37 values one by one takes ten times as long.
        source, parameters = f"SELECT {names} FROM json_populate_recordset(NULL::{table}, %s)", [_write(columns, rows)]
        source += f" WHERE {where}" if where else ""
    else:
        values, parameters = values_list(rows)
        source = f"VALUES {values}"
    sql = f"INSERT INTO {table} ({names}) {source} ON CONFLICT DO NOTHING"
    return (f"{sql} RETURNING {returning}" if returning else sql), parameters


def table(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Statement:
    """Return these rows as ``WITH name (…) AS`` takes them; ``columns`` are names and PostgreSQL's types."""
    if not is_postgresql():
        values, parameters = values_list(rows)
        return f"VALUES {values}", parameters
    described = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    return f"SELECT * FROM json_to_recordset(%s) AS given ({described})", [_write(tuple(columns), rows)]


def _write(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=_write_decimal).decode()


def _write_decimal(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError


def one_of(ids: Sequence[int] | Sequence[UUID]) -> Statement:
    """Return the condition ``IN (…)`` for these ids, one at the least."""
    if not is_postgresql():
        return f"IN ({placeholders(ids)})", [adapt(id_) for id_ in ids]
    if isinstance(ids[0], UUID):
        return "= ANY(%s::uuid[])", ["{" + ",".join([id_.hex for id_ in ids]) + "}"]  # type: ignore[union-attr]
    return "= ANY(%s::bigint[])", ["{" + ",".join(map(str, ids)) + "}"]


DURABLE = (
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
    "ELSE current_setting('synchronous_commit') END, true)"
)
CLOCK = "SELECT clock_timestamp()"
GUARDS = "SELECT set_config('lock_timeout', '100ms', true), set_config('statement_timeout', '2s', true), " + DURABLE
PLANS = "set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)"
"""A plan is kept as long as its connection: one that is made while a table is small must do when it has grown."""


def set_guards() -> None:
    """Bound how long this transaction waits for a locked row and for a statement; make its COMMIT durable.

    All are for this transaction alone, whatever the server, the role or a pooler say.
    """
    if is_postgresql():
        execute(GUARDS)


class Batch:
    """A guarded transaction in few round trips: BEGIN goes with what locks, COMMIT with what is written last.

    Where it is part of another transaction, or on SQLite, that one begins and ends it. A round trip
    costs more than a short statement: the thread gives the interpreter up, and waits to get it back.
    """

    def __init__(self, *, is_own: bool) -> None:
        self._is_own = is_own

    def open(self) -> None:
        """Begin without locking anything yet."""
        if is_postgresql():
            self._execute(self._opening())

    def lock(self, queries: Sequence[Statement]) -> tuple[list[Rows], datetime]:
        """Run the queries that lock, and read the clock behind them; return their rows, and now."""
        if not is_postgresql():
            return execute_all(queries), read_clock()
        opening = self._opening()
        *found, [[now]] = self._execute([*opening, *queries, (CLOCK, ())])
        return found[len(opening) :], now

    def write(self, statements: Sequence[Statement]) -> None:
        """Run the last statements, and commit."""
        self._execute([*statements, ("COMMIT", ())] if self._is_own else statements)

    def end(self) -> None:
        """Commit, where ``write`` was not reached."""
        if self._is_own and _status() == TransactionStatus.INTRANS:
            execute("COMMIT")

    def roll_back(self) -> None:
        """Leave the connection ready for another transaction, or closed: it is opened anew where it is needed."""
        if not self._is_own:
            return
        status = _status()
        with suppress(DatabaseError, InterfaceError):
            if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                execute("ROLLBACK")
            elif status == TransactionStatus.UNKNOWN:
                connection.close()

    def _opening(self) -> list[Statement]:
        connection.ensure_connection()
        begins = self._is_own and _status() == TransactionStatus.IDLE
        return [("BEGIN", ()), (f"{GUARDS}, {PLANS}", ())] if begins else [(GUARDS, ())]

    def _execute(self, statements: Sequence[Statement]) -> list[Rows]:
        own = connections[DEFAULT_DB_ALIAS]
        if not self._is_own or not pipeline.is_usable(own):
            return execute_all(statements)
        with own.wrap_database_errors:
            return pipeline.run(own.connection, statements)


def _status() -> TransactionStatus:
    own = connections[DEFAULT_DB_ALIAS].connection
    status: TransactionStatus = own.info.transaction_status if own else TransactionStatus.UNKNOWN
    return status


@contextmanager
def guarded_batch() -> Iterator[Batch]:
    """Run a batch of the ledger in a transaction; whatever is raised rolls it back."""
    if not is_postgresql() or connection.in_atomic_block:
        with transaction.atomic():
            yield Batch(is_own=False)
        return
    batch = Batch(is_own=True)
    try:
        yield batch
        batch.end()
    except BaseException:
        batch.roll_back()
        raise


def make_durable() -> None:
    """Let this transaction's COMMIT be on the disk before it is told, whatever the server says of others."""
    if is_postgresql():
        execute(f"SELECT {DURABLE}")


def read_clock() -> datetime:
    """Return the database's time: of all clocks the one that processes share."""
    if is_postgresql():
        found: datetime = execute(CLOCK)[0][0]
        return found
    return datetime.now(UTC)
