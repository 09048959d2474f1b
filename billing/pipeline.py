"""The ledger's statements on PostgreSQL: several in one round trip, each parsed and planned once a connection.

This is libpq's pipeline mode, by psycopg's wrapper of libpq; psycopg's own pipeline costs the
thread more than the statements do: https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

import hashlib
import logging
import re
import select
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import count
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

    Where the first fails, those behind it are left out. Where this itself breaks off, the connection is
    closed: what of it the server has done is not known. No text may hold a NUL, which would end it.
    """
    prepared = _prepared.setdefault(connection, set())
    described = [_describe(sql) for sql, _ in statements]
    values = [[_encode(value) for value in parameters] for _, parameters in statements]
    new = {name: text for name, text in described if name not in prepared}
    names = [name for name, _ in described]
    try:
        results = _exchange(connection.pgconn, new, list(zip(names, values, strict=True)))
    except BaseException:
        connection.close()
        raise
    # What was prepared stays so, whatever becomes of the transaction.
    prepared.update(name for name, result in zip(new, results, strict=False) if result.status in GOOD)
    for name, result in zip([*new, *names], results, strict=False):
        if result.status not in GOOD:
            raise _explain(errors.error_from_result(result), was_kept=name not in new)
    reader = Transformer(connection)
    return [_read(reader, result) for result in results[len(new) :]]


@lru_cache(maxsize=256)
def _describe(sql: str) -> tuple[bytes, bytes]:
    """Return a statement's name, which is no other text's, and its text as the server takes it."""
    numbers = count(1)
    text = re.sub("%[s%]", lambda mark: f"${next(numbers)}" if mark[0] == "%s" else "%", sql).encode()
    return b"ledger_" + hashlib.sha256(text).hexdigest()[:24].encode(), text


def _encode(value: str | datetime) -> bytes:
    return (value if isinstance(value, str) else value.isoformat()).encode()


def _exchange(
    wire: PGconn, new: Mapping[bytes, bytes], asked: Sequence[tuple[bytes, Sequence[bytes]]]
) -> list[PGresult]:
    """Prepare what is new, name → text, and run what is asked, name and parameters; return the result of each."""
    wire.enter_pipeline_mode()
    for name, text in new.items():
        wire.send_prepare(name, text)
    for name, parameters in asked:
        wire.send_query_prepared(name, parameters)
    wire.pipeline_sync()
    results = _receive(wire)
    wire.exit_pipeline_mode()
    return results


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


def _explain(error: errors.Error, *, was_kept: bool) -> errors.Error:
    """Return an error as it is, but for one about preparing: a new connection helps, as with one that was lost."""
    global _is_mixed_up
    if isinstance(error, MIXED_UP):
        _is_mixed_up = True
        logger.warning("PostgreSQL forgets prepared statements, as behind a pooler: the ledger goes on without them")
        return OperationalError(str(error))
    # A migration has changed a column's type.
    is_outdated = was_kept and isinstance(error, errors.FeatureNotSupported)
    return OperationalError(str(error)) if is_outdated else error


def _read(reader: abc.Transformer, result: PGresult) -> Rows:
    if not result.nfields:
        return []
    reader.set_pgresult(result)
    return reader.load_rows(0, result.ntuples, tuple)
