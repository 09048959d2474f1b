"""On SQLite a night's work over a million records stops no request: it never keeps the only writer's lock."""

import sqlite3
import threading
from collections.abc import Callable

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from accounts.keys import build_record
from accounts.models import APIKey
from billing import exports, pricing
from billing.books.proofs import check_and_store
from billing.books.reconcile import reconcile
from billing.filters import ALL
from billing.models import UsageRecord
from billing.requests import PriceRecord
from tests.billing import bulk

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has many writers"),
]

RECORDS = 1_000_000
PATIENCE_SECONDS = 3
"""SQLite itself gives up waiting for the lock after so long: far less than any of the work takes, and more
than a busy machine needs for the gateway's own commits. By itself no wait is longer than 0.2 s."""


def prove() -> None:
    findings, _ = check_and_store()
    assert findings.differences == {}


def compare() -> None:
    run = reconcile()
    assert (run.records >= RECORDS, run.difference_count) == (True, 0)


def export(membership) -> Callable[[], None]:
    async def read() -> int:
        return sum([part.count(b"\n") async for part in exports.stream_records(membership=membership, filters=ALL)])

    def run() -> None:
        assert async_to_sync(read)() > RECORDS

    return run


@pytest.fixture
def million(wallet, caller) -> None:
    """A key that has made a million requests in the last day, all in the books."""
    wallet.grant(1_000)
    key = build_record(APIKey.objects.select_related("organization").get(organization=wallet.organization))
    price = pricing.set_price(model="bulk", input_micros=10**6, cached_micros=5 * 10**5, output_micros=2 * 10**6)
    bulk.fill(RECORDS, key, PriceRecord(price.pk, (10**6, 5 * 10**5, 2 * 10**6)))


def work_beside(work: Callable[[], None], tick: Callable[[], None]) -> int:
    """Run the work in a thread and tick until it ends; return how often. Raises what the work raised."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    thread, ticks = threading.Thread(target=run), 0
    thread.start()
    while thread.is_alive():
        tick()
        ticks += 1
    thread.join()
    if problems:
        raise problems[0]
    return ticks


def test_chat_goes_on_while_the_night_is_worked_through(million, caller, member, add_route):
    add_route("ok")
    writer = sqlite3.connect(connection.settings_dict["NAME"], timeout=PATIENCE_SECONDS, isolation_level=None)

    def tick() -> None:
        assert caller.chat().status == 200
        writer.execute("BEGIN IMMEDIATE")  # raises where somebody keeps the lock for longer
        writer.execute("ROLLBACK")

    try:
        ticks = [work_beside(work, tick) for work in (prove, compare, export(member))]
    finally:
        writer.close()
    assert min(ticks) > 0
    assert UsageRecord.objects.count() == RECORDS + sum(ticks)
