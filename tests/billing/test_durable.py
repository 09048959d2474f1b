"""What the ledger has answered survives a server that dies at the next moment."""

import uuid
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from billing.batcher import Batcher
from billing.holds import Admissions
from billing.requests import Admission
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import run, settle
from tests.gateway.callers import eventually
from tests.postgresql import IMMEDIATE, PostgreSQL

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's file is written with synchronous=FULL"),
]
LAZY = {"synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB", "autovacuum": "off"}
"""Nobody waits for the disk unasked, and nobody else writes the log: what a commit leaves is gone after a crash."""


class Server:
    """A server that keeps what it has said, with a copy of the test's database."""

    def __init__(self) -> None:
        self.postgresql = PostgreSQL(LAZY)
        self.postgresql.start()
        place = connection.settings_dict
        self.name = place["NAME"]
        self.postgresql.copy_database(f"postgres://{place['USER']}@{place['HOST']}:{place['PORT']}/{self.name}")

    def read(self, sql: str) -> Any:
        with psycopg.connect(self.postgresql.address, dbname=self.name) as direct:
            row = direct.execute(sql).fetchone()
        return row and row[0]

    def count_syncs(self) -> int:
        """Return how often those who wrote to the database have waited for the disk."""
        return int(
            self.read("SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal' AND backend_type = 'client backend'")
        )

    def crash(self) -> None:
        self.postgresql.stop(IMMEDIATE)
        self.postgresql.start()


@pytest.fixture
def server(monkeypatch, make_key, ask) -> Any:
    """A server that all connections from now on lead to; ``request`` is one that it can admit."""
    request = ask(make_key())
    server = Server()
    server.ask = lambda: ask(request.key)
    monkeypatch.setitem(connections.settings["default"], "PORT", str(server.postgresql.port))
    yield server
    server.postgresql.close()


@pytest.fixture
def ledger(server) -> Any:
    batcher = Batcher("durable")
    batcher.start()
    yield batcher
    batcher.stop()


def test_a_hold_that_was_admitted_is_there_after_a_crash(server, ledger) -> None:
    [admission] = run(ledger, Admissions(uuid.uuid4()).admit_batch, [server.ask()])
    assert isinstance(admission, Admission)
    server.crash()
    assert server.read("SELECT amount_nanos FROM billing_hold") == admission.amount


def test_a_charge_that_was_answered_is_there_after_a_crash(server, ledger) -> None:
    [admission] = run(ledger, Admissions(uuid.uuid4()).admit_batch, [server.ask()])
    [outcome] = run(ledger, settle_batch, [settle(admission, Tokens(input=10, output=10))])
    server.crash()
    assert server.read("SELECT spent_nanos FROM billing_limit WHERE kind = 'wallet'") == outcome.charge == 30_000
    assert server.read("SELECT charge_nanos FROM billing_usagerecord") == outcome.charge


def test_every_batch_waits_for_the_disk(server, ledger) -> None:
    admissions = Admissions(uuid.uuid4())
    run(ledger, admissions.admit_batch, [server.ask()])
    before = server.count_syncs()
    for _ in range(10):
        [admission] = run(ledger, admissions.admit_batch, [server.ask()])
        run(ledger, settle_batch, [settle(admission, Tokens(input=1, output=1))])
    ledger.stop()
    # A connection's process tells its figures at its end, soon after it was closed.
    assert eventually(lambda: server.count_syncs() - before >= 2 * 10)
