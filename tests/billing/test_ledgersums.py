"""The sums of the ledger are those of its entries, however far they have come and whatever is asked."""

import random
import threading
import uuid
from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from accounts.members import create_organization
from accounts.models import Organization, User
from billing import ledger, ledgersums, rows
from billing.models import LedgerEntry, LedgerSum
from tests.billing.adding import NOON
from tests.billing.clocks import set_clock
from tests.services import DATABASE

KINDS = list(LedgerEntry.Kind)


@pytest.fixture
def organizations(alice: User) -> list[Organization]:
    return [create_organization(owner=alice, name=name) for name in ("Acme", "Other")]


def add(organization: Organization, created_at: datetime, nanos: int = 1, kind: str = "charge") -> LedgerEntry:
    wallet = ledger.get_wallet(organization=organization)
    return LedgerEntry.objects.create(
        organization=organization,
        wallet=wallet,
        kind=kind,
        amount_nanos=nanos,
        reference=uuid.uuid4().hex,
        actor="test",
        created_at=created_at,
    )


def added_up(organization: Organization, since: datetime, until: datetime) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for entry in LedgerEntry.objects.filter(organization=organization, created_at__gte=since, created_at__lt=until):
        sums[entry.kind] += entry.amount_nanos
    return dict(sums)


@pytest.mark.parametrize("seed", range(5))
def test_any_span_is_what_its_entries_come_to(organizations, clock, monkeypatch, seed: int) -> None:
    monkeypatch.setattr(ledgersums, "CHUNK", 7)
    lots = random.Random(seed)
    clock.now = NOON
    for number in range(120):
        clock.forward(minutes=lots.randrange(40))
        add(lots.choice(organizations), clock.now, lots.randrange(-99, 99), lots.choice(KINDS))
        if number % 30 == 0:
            ledgersums.sum_up()
    ends = [NOON + timedelta(minutes=lots.choice((1, 15, 60)) * lots.randrange(60)) for _ in range(60)]
    for since, until in zip(ends[::2], ends[1::2], strict=True):
        for each in organizations:
            found = ledgersums.sum_entries(organization=each, since=since, until=until)
            assert found == added_up(each, since, until), (since, until)


def test_each_entry_is_summed_once(organizations, clock, monkeypatch) -> None:
    monkeypatch.setattr(ledgersums, "CHUNK", 3)
    clock.now = NOON + timedelta(minutes=1)
    for minutes in range(0, 400, 40):
        add(organizations[minutes % 3 == 0], NOON - timedelta(minutes=minutes))
    assert [ledgersums.sum_up(), ledgersums.sum_up()] == [10, 0]
    assert sum(LedgerSum.objects.values_list("amount_nanos", flat=True)) == 10


def test_an_entry_of_this_moment_waits_and_counts_nevertheless(organizations, clock) -> None:
    clock.now = NOON
    add(organizations[0], NOON - timedelta(seconds=1), 5)
    assert ledgersums.sum_up() == 0
    assert ledgersums.sum_entries(organization=organizations[0]) == {"charge": 5}
    clock.forward(minutes=1)
    assert ledgersums.sum_up() == 1
    assert ledgersums.sum_entries(organization=organizations[0]) == {"charge": 5}


@pytest.mark.skipif(DATABASE != "postgresql", reason="SQLite has one writer")
@pytest.mark.django_db(transaction=True)
def test_an_entry_that_commits_late_is_not_passed_over(organizations, monkeypatch) -> None:
    written, may_end = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            add(organizations[1], rows.read_clock())
            written.set()
            may_end.wait(20)
        connection.close()

    thread = threading.Thread(target=write_slowly)
    thread.start()
    assert written.wait(20)
    add(organizations[0], rows.read_clock())  # its id is higher, and it is there already
    later = rows.read_clock() + timedelta(minutes=5)
    set_clock(monkeypatch, lambda: later)
    assert ledgersums.sum_up() == 0
    may_end.set()
    thread.join()
    assert ledgersums.sum_up() == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_sum_nothing_twice(organizations, monkeypatch) -> None:
    monkeypatch.setattr(ledgersums, "CHUNK", 5)
    for minutes in range(1, 60):
        add(organizations[minutes % 2], rows.read_clock() - timedelta(minutes=minutes))
    added: list[int] = []

    def run() -> None:
        added.append(ledgersums.sum_up())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 59 == sum(LedgerSum.objects.values_list("amount_nanos", flat=True))
