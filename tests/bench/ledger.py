"""Figures of the ledger by itself, on the database that the environment names, as one line of JSON.

`python -m tests.bench.ledger SECONDS RECORDS`; with NIGHT alone it works through a night in this process.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartoken.settings")

import django

django.setup()

from asgiref.sync import async_to_sync  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from accounts import keys, members  # noqa: E402
from accounts.keys import KeyRecord, build_record  # noqa: E402
from accounts.models import APIKey, Membership, User  # noqa: E402
from billing import exports, ledger, locks, pricing, rows  # noqa: E402
from billing.books.proofs import check_and_store  # noqa: E402
from billing.books.reconcile import reconcile  # noqa: E402
from billing.filters import ALL  # noqa: E402
from billing.models import Limit  # noqa: E402
from billing.money import NANOS  # noqa: E402
from billing.requests import Admission, HoldRequest, PriceRecord  # noqa: E402
from billing.settlements import Settlement, Tokens  # noqa: E402
from billing.threads import LedgerThreads  # noqa: E402
from tests.billing import bulk  # noqa: E402

EMAIL = "bench@example.com"
WALLETS = 20
CLIENTS = 64
LOCKED_SECONDS = 1.0
MICROS = (10**6, 5 * 10**5, 2 * 10**6)


class Bench:
    """Twenty wallets with plenty in them, each with a key."""

    def __init__(self) -> None:
        owner = User.objects.create_user(EMAIL)
        self.keys = [self._make_key(owner) for _ in range(WALLETS)]
        self.price = PriceRecord(pricing.set_price(model="bench", **_price()).pk, MICROS)

    def _make_key(self, owner: User) -> KeyRecord:
        organization = members.create_organization(owner=owner)
        key, _ = keys.create_key(
            organization=organization, created_by=owner, name="bench", daily_budget_nanos=10**6 * NANOS
        )
        ledger.grant(organization=organization, nanos=10**6 * NANOS, actor="bench")
        return build_record(APIKey.objects.select_related("organization").get(pk=key.pk))

    def ask(self, key: KeyRecord) -> HoldRequest:
        return HoldRequest(
            id=uuid.uuid4(),
            key=key,
            model="bench",
            price=self.price,
            input_bound=100,
            output_limit=100,
            default_output=100,
        )

    async def pair(self, threads: LedgerThreads, key: KeyRecord) -> float:
        """Hold and settle; return how many ms both took."""
        began = time.perf_counter()
        admission = await threads.admit(self.ask(key))
        assert isinstance(admission, Admission)
        await threads.settle(_settlement(admission))
        return (time.perf_counter() - began) * 1000

    def run(self, clients: int, seconds: float) -> list[float]:
        """Return the ms of each pair of so many clients, one pair after the other, for so long."""
        until = time.monotonic() + seconds
        return self.run_while(clients, lambda: time.monotonic() < until)

    def run_while(self, clients: int, goes_on: Callable[[], bool], first: int = 0) -> list[float]:
        times: list[float] = []

        async def ask_in_turn(threads: LedgerThreads, number: int) -> None:
            key = self.keys[first + number % (WALLETS - first)]
            while goes_on():
                times.append(await self.pair(threads, key))

        async def run(threads: LedgerThreads) -> None:
            await asyncio.gather(*[ask_in_turn(threads, number) for number in range(clients)])

        with running() as threads:
            asyncio.run(run(threads))
        return times

    def run_beside_a_locked_wallet(self) -> float:
        """Return the longest ms of a pair of the others while one wallet is locked, and clients wait for it."""
        locked, done = threading.Event(), threading.Event()

        def hold_row() -> None:
            with transaction.atomic():
                locks.lock_limits([Limit.objects.get(kind="wallet", organization=self.keys[0].organization_id).pk])
                locked.set()
                time.sleep(LOCKED_SECONDS)
            done.set()
            connection.close()

        async def run(threads: LedgerThreads) -> float:
            await self.pair(threads, self.keys[0])
            somebody = threading.Thread(target=hold_row)
            somebody.start()
            await asyncio.to_thread(locked.wait)
            waiting = [asyncio.ensure_future(self.pair(threads, self.keys[0])) for _ in range(2 * CLIENTS)]
            longest = 0.0
            while not done.is_set():
                longest = max(longest, await self.pair(threads, self.keys[1]))
            await asyncio.gather(*waiting)
            somebody.join()
            return longest

        with running() as threads:
            return asyncio.run(run(threads))

    def run_in_the_night(self) -> float:
        """Return the longest ms of a pair while another process proves, reconciles and exports."""
        night = subprocess.Popen([sys.executable, "-m", "tests.bench.ledger", "NIGHT"])
        times = self.run_while(1, lambda: night.poll() is None, first=1)
        assert night.returncode == 0
        return max(times)


@contextmanager
def running() -> Iterator[LedgerThreads]:
    threads = LedgerThreads()
    threads.start()
    try:
        yield threads
    finally:
        threads.stop()


def _price() -> dict[str, int]:
    return dict(zip(("input_micros", "cached_micros", "output_micros"), MICROS, strict=True))


def _settlement(admission: Admission) -> Settlement:
    return Settlement(
        admission=admission,
        tokens=Tokens(input=20, output=10),
        status="completed",
        http_status=200,
        ended_by="completed",
        count_source="provider",
        total_ms=5,
    )


def count_syncs() -> int:
    """Return how often those who wrote to PostgreSQL have waited for the disk; a connection tells it at its end."""
    sql = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal' AND backend_type = 'client backend'"
    return int(rows.execute(sql)[0][0]) if rows.is_postgresql() else 0


def percentile(times: list[float], percent: int) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


def measure(seconds: float, records: int) -> dict[str, Any]:
    bench = Bench()
    bulk.fill(records, bench.keys[0], bench.price)
    bench.run(CLIENTS, min(1.0, seconds))  # windows, caches, connections
    before = count_syncs()
    alone = bench.run(1, seconds)
    syncs = count_syncs() - before
    together = bench.run(CLIENTS, seconds)
    return {
        "pairs_per_s": len(together) / seconds,
        "p50_ms": percentile(alone, 50),
        "p95_ms": percentile(alone, 95),
        "p99_ms": percentile(alone, 99),
        "syncs_per_pair": syncs / len(alone) if rows.is_postgresql() else "-",
        "beside_locked_ms": bench.run_beside_a_locked_wallet() if rows.is_postgresql() else "-",
        "longest_ms": max(alone),
        "records": records,
        "in_the_night_ms": bench.run_in_the_night(),
    }


def work_through_a_night() -> None:
    findings, _ = check_and_store()
    assert not findings.differences, findings.differences
    assert reconcile().difference_count == 0
    membership = Membership.objects.select_related("organization", "user").order_by("pk").first()
    assert membership

    async def export() -> int:
        return sum([len(part) async for part in exports.stream_records(membership=membership, filters=ALL)])

    async_to_sync(export)()


if __name__ == "__main__":
    if sys.argv[1:] == ["NIGHT"]:
        work_through_a_night()
    else:
        print(json.dumps(measure(float(sys.argv[1]), int(sys.argv[2]))), flush=True)
