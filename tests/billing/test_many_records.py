"""The nightly checks of large books stop nobody: requests are held and settled while they run."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection

from accounts.models import APIKey
from billing import batcher, proof, rows
from billing.books import chunks, proofs, reconcile
from billing.models import Limit
from billing.settlements import Tokens
from billing.threads import LedgerThreads
from tests.billing.bulk import CHARGE, empty, fill
from tests.billing.conftest import settle
from tests.services import DATABASE

RECORDS = 200_000 if DATABASE == "sqlite" else 20_000
"""Many where there is one writer; PostgreSQL, which has no such lock, is only to run the same."""

PATIENCE_SECONDS = 60

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


class Traffic(threading.Thread):
    """Holds and settles requests through the ledger's threads, one after another, until it is stopped."""

    def __init__(self, ask, key) -> None:
        super().__init__()
        self.ask, self.key = ask, key
        self.ended = 0
        self.is_stopping = False
        self.turn = threading.Condition()

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        ledger = LedgerThreads()
        await asyncio.to_thread(ledger.start)
        try:
            while not self.is_stopping:
                admission = await ledger.admit(self.ask(self.key, input_bound=100, output_limit=10))
                await ledger.settle(settle(admission, Tokens(input=100, output=10)))
                with self.turn:
                    self.ended += 1
                    self.turn.notify_all()
        finally:
            await asyncio.to_thread(ledger.stop)

    def wait_for_another(self, *_: object) -> None:
        """Return when two more requests have ended, so that one of them began behind this call."""
        with self.turn:
            wanted = self.ended + 2
            assert self.turn.wait_for(lambda: self.ended >= wanted, PATIENCE_SECONDS), "requests wait for the check"


@pytest.fixture
def traffic(transactional_db, make_key, ask, price) -> Iterator[Traffic]:
    key = make_key(credit=1000)
    fill(RECORDS, key, price, hours=40)
    running = Traffic(ask, key)
    running.start()
    yield running
    running.is_stopping = True
    running.join()
    empty()


@pytest.fixture
def refused(monkeypatch) -> list[str]:
    """What the ledger's threads met instead of a lock: whoever asks for a lock that is taken is refused at once."""
    met: list[str] = []
    classify = batcher.classify

    def note(error: Exception) -> str:
        met.append(str(error))
        return classify(error)

    monkeypatch.setattr(batcher, "classify", note)
    return met


@pytest.fixture
def impatient(monkeypatch):
    """Let SQLite's writers not wait for the lock."""
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0)


def test_a_full_check_holds_no_lock(impatient, refused, traffic, monkeypatch) -> None:
    find = proof.find_differences

    def find_and_wait(*args):
        traffic.wait_for_another()
        return find(*args)

    monkeypatch.setattr(proof, "find_differences", find_and_wait)
    found = proof.check_books()
    assert (found.differences, refused) == ({}, [])
    assert RECORDS <= found.records < RECORDS + traffic.ended


def test_a_reconciliation_holds_no_lock(impatient, refused, traffic, monkeypatch) -> None:
    add = reconcile.Figures.add

    def add_and_wait(figures, row) -> None:
        if figures.records % 20_000 == 0:
            traffic.wait_for_another()
        add(figures, row)

    monkeypatch.setattr(reconcile.Figures, "add", add_and_wait)
    now = rows.read_clock()
    figures = reconcile.add_up(now - reconcile.LOOKS_BACK, now + timedelta(hours=1))
    assert (figures.difference_count, refused) == (0, [])
    assert figures.charge_nanos == figures.records * CHARGE >= RECORDS * CHARGE


def test_sums_are_written_between_other_peoples_turns(traffic, monkeypatch) -> None:
    add_old_windows(1000)
    pauses = []
    monkeypatch.setattr(chunks.time, "sleep", lambda seconds: pauses.append(traffic.wait_for_another()))
    findings, stored = proofs.check_and_store()
    assert (findings.differences, stored.sums.count()) == ({}, 1003)
    assert len(pauses) >= 1003 / chunks.CHUNK
    later, _ = proofs.check_and_store(since=proofs.LATEST)
    assert (later.differences, later.entries < RECORDS) == ({}, True)


def add_old_windows(count: int) -> None:
    key = APIKey.objects.get()
    now = rows.read_clock()
    Limit.objects.bulk_create(
        Limit(
            kind="key_day",
            organization_id=key.organization_id,
            key=key,
            starts_at=now - timedelta(days=day + 3),
            ends_at=now - timedelta(days=day + 2),
        )
        for day in range(count)
    )
