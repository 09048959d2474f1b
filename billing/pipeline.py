"""The ledger's statements on PostgreSQL: several in one round trip, each parsed and planned once a connection.

This is libpq's pipeline mode, by psycopg's wrapper of libpq; psycopg's own pipeline costs the
thread more than the statements do: https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

import hashlib
import logging
import select
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Connection, OperationalError, abc, errors
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

Rows = list[tuple[Any, ...]]

GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
MIXED_UP = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)
"""What a pooler answers that gives each transaction another server and knows nothing of prepared statements."""

logger = logging.getLogger(__name__)

_prepared: "WeakKeyDictionary[Connection[Any], set[bytes]]" = WeakKeyDictionary()
"""The names of the statements that each connection has prepared."""
_is_mixed_up = False


def is_usable(database: BaseDatabaseWrapper) -> bool:
    """Tell whether ``run`` may be used: the server keeps what is prepared, and nobody listens to Django's cursors."""
    is_bare = database.connection is not None and not database.in_atomic_block
    return is_bare and not (_is_mixed_up or database.execute_wrappers or database.queries_logged)


def run(connection: "Connection[Any]", statements: Sequence[tuple[str, Sequence[str | datetime]]]) -> list[Rows]:
    """Run statements, whose parameters are marked by ``%s``; return the rows of each. Raises psycopg's errors.

    Where the first fails, those behind it are left out.
    """
    wire, prepared = connection.pgconn, _prepared.setdefault(connection, set())
    described = [_describe(sql) for sql, _ in statements]
    new = [(name, text) for name, text in dict.fromkeys(described) if name not in prepared]
    wire.enter_pipeline_mode()
    for name, text in new:
        wire.send_prepare(name, text)
    for (name, _), (_, parameters) in zip(described, statements, strict=True):
        wire.send_query_prepared(name, [_encode(value) for value in parameters])
    wire.pipeline_sync()
    results = _receive(wire)
    wire.exit_pipeline_mode()
    # What was prepared stays so, whatever becomes of the transaction.
    prepared.update(name for (name, _), result in zip(new, results, strict=False) if result.status in GOOD)
    _check(results)
    reader = Transformer(connection)
    return [_read(reader, result) for result in results[len(new) :]]


@lru_cache(maxsize=256)
def _describe(sql: str) -> tuple[bytes, bytes]:
    """Return a statement's name, which is no other text's, and its text as the server takes it."""
    first, *rest = sql.split("%s")
    text = (first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))).encode()
    return b"ledger_" + hashlib.sha256(text).hexdigest()[:24].encode(), text


def _encode(value: str | datetime) -> bytes:
    return (value if isinstance(value, str) else value.isoformat()).encode()


def _receive(wire: PGconn) -> list[PGresult]:
    """Return the results up to the end of the pipeline; other threads run while they are waited for."""
    ready = select.poll()  # unlike select(), it takes a process's later connections too
    ready.register(wire.socket, select.POLLIN | select.POLLOUT)
    while wire.flush():
        ready.poll()
        wire.consume_input()
    ready.modify(wire.socket, select.POLLIN)
    results: list[PGresult] = []
    while True:
        while wire.is_busy():
            ready.poll()
            wire.consume_input()
        result = wire.get_result()
        if result is None and wire.status == ConnStatus.BAD:
            raise OperationalError("the connection was lost in the midst of a pipeline")
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            return results
        if result is not None:  # it is None between two statements
            results.append(result)


def _check(results: Sequence[PGresult]) -> None:
    for result in results:
        if result.status not in GOOD:
            raise _explain(errors.error_from_result(result))


def _explain(error: errors.Error) -> errors.Error:
    """Return an error as it is, but for one about preparing: a new connection helps, as with one that was lost."""
    global _is_mixed_up
    if isinstance(error, MIXED_UP):
        _is_mixed_up = True
        logger.warning("PostgreSQL forgets prepared statements, as behind a pooler: the ledger goes on without them")
        return OperationalError(str(error))
    is_outdated = isinstance(error, errors.FeatureNotSupported)  # a migration has changed a column's type
    return OperationalError(str(error)) if is_outdated else error


def _read(reader: abc.Transformer, result: PGresult) -> Rows:
    if not result.nfields:
        return []
    reader.set_pgresult(result)
    return reader.load_rows(0, result.ntuples, tuple)
