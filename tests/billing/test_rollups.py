"""Roll-ups are the records' own sums, whatever comes between and however many workers run."""

import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from billing import retention, rollups, rows, sums, sweep
from billing.models import Mark, Rollup, UsageRecord
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.adding import NOON, add_up, place_of
from tests.billing.conftest import settle
from tests.services import DATABASE


def rolled_up() -> dict[tuple[Any, ...], sums.Sums]:
    stored = Rollup.objects.values_list("hour", "key_id", "user_id", "model", "upstream", *sums.FIGURES)
    return {row[:5]: sums.Sums(*row[5:]) for row in stored}


def assert_rolled_up() -> None:
    """Compare the roll-ups with the records before the mark."""
    mark = rollups._read_mark(sums.ROLLED_UP)
    assert rolled_up() == add_up(UsageRecord.objects.filter(created_at__lt=mark), place_of)


@pytest.mark.parametrize("seed", range(5))
def test_runs_between_random_records_add_each_once(write, clock, monkeypatch, seed: int) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 4)
    monkeypatch.setattr(rollups, "MOST_GROUPS", 3)
    lots = random.Random(seed)
    clock.now, written, added = NOON, 0, 0
    for _ in range(40):
        clock.forward(minutes=lots.randrange(30))
        for _ in range(lots.randrange(4)):
            write(clock.now)
            written += 1
        if lots.random() < 0.4:
            added += rollups.roll_up()
            assert_rolled_up()
    clock.forward(minutes=1)
    assert added + rollups.roll_up() == written
    assert_rolled_up()


def test_the_first_run_begins_at_the_oldest_record(write, clock) -> None:
    clock.now = NOON
    for days in (700, 400, 1):
        write(NOON - timedelta(days=days))
    assert rollups.roll_up() == 3
    assert rollups.roll_up() == 0
    assert_rolled_up()


def test_many_records_of_one_instant_go_together(write, clock, monkeypatch) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 2)
    clock.now = NOON
    for _ in range(5):
        write(NOON - timedelta(hours=1))
    assert rollups.roll_up() == 5
    assert_rolled_up()


def test_young_records_wait(write, clock) -> None:
    clock.now = NOON
    write(NOON - timedelta(seconds=5))
    assert rollups.roll_up() == 0


def test_a_record_that_comes_while_its_chunk_is_added_is_not_passed_over(write, clock, monkeypatch) -> None:
    clock.now = NOON
    write(NOON - timedelta(minutes=5))
    real = rollups._read_groups

    def read_groups(*span: datetime) -> Any:
        monkeypatch.undo()
        clock.now, groups = NOON, real(*span)
        write(NOON - timedelta(minutes=6))
        return groups

    monkeypatch.setattr(rollups, "_read_groups", read_groups)
    rollups.roll_up()
    assert not Rollup.objects.exists()
    monkeypatch.setattr(rows, "read_clock", lambda: NOON)
    assert rollups.roll_up() == 2
    assert_rolled_up()


def test_who_finds_the_mark_moved_adds_nothing(write, clock, monkeypatch) -> None:
    clock.now = NOON
    write(NOON - timedelta(minutes=5))
    real = rollups._read_groups

    def read_groups(*span: datetime) -> Any:
        monkeypatch.setattr(rollups, "_read_groups", real)
        groups = real(*span)
        assert rollups.roll_up() == 1  # another worker, meanwhile
        return groups

    monkeypatch.setattr(rollups, "_read_groups", read_groups)
    assert rollups.roll_up() == 0
    assert_rolled_up()


def test_a_late_correction_is_summed_anew(make_key, admissions, ask, clock) -> None:
    [admission] = admissions.admit_batch([ask(make_key(), stream=True)])
    clock.forward(minutes=2)
    sweep.sweep()
    clock.forward(minutes=2)
    rollups.roll_up()
    settle_batch([settle(admission, Tokens(input=100, output=10), upstream="first")])
    rollups.roll_up()
    assert Rollup.objects.get().charge_nanos == 120_000
    assert_rolled_up()


def test_a_noted_hour_is_summed_until_it_is_over(write, clock) -> None:
    clock.now = NOON + timedelta(minutes=30)
    record = write(NOON)
    rollups.roll_up()
    rollups.note_correction(record.created_at)
    rollups.roll_up()
    assert Mark.objects.filter(name__startswith=rollups.NOTE).exists()
    clock.forward(hours=1)
    write(NOON + timedelta(minutes=45))
    write(NOON + timedelta(minutes=75))
    rollups.roll_up()
    assert not Mark.objects.filter(name__startswith=rollups.NOTE).exists()


def test_a_day_is_rebuilt_from_its_records(write, clock) -> None:
    clock.now = NOON + timedelta(days=1)
    records = [write(NOON + timedelta(minutes=20 * count)) for count in range(9)]
    rollups.roll_up()
    UsageRecord.objects.filter(pk=records[0].pk).update(charge_nanos=5, upstream="other")
    Rollup.objects.filter(hour=NOON + timedelta(hours=1)).delete()
    rollups.rebuild(NOON.date())
    assert_rolled_up()


def test_roll_ups_outlive_their_records(write, clock, settings) -> None:
    clock.now = NOON
    write(NOON - timedelta(days=1))
    clock.forward(days=settings.USAGE_DAYS + 1)
    assert retention.forget_old()["usage records"] == 0  # not rolled up yet
    rollups.roll_up()
    before = rolled_up()
    assert retention.forget_old()["usage records"] == 1
    rollups.rebuild((NOON - timedelta(days=1)).date())
    assert rolled_up() == before != {}


# --- several at once ---------------------------------------------------------


def run_at_once(*works: Callable[[], object]) -> None:
    """Run these in threads with connections of their own, and wait for all."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_add_each_record_once(write, monkeypatch) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 7)
    began = rows.read_clock() - timedelta(hours=3)
    for count in range(150):
        write(began + timedelta(minutes=count))
    added: list[int] = []

    def work() -> None:
        added.extend(rollups.roll_up() for _ in range(30))

    run_at_once(work, work, work)
    assert sum(added) == 150
    assert_rolled_up()


@pytest.mark.django_db(transaction=True)
def test_workers_go_on_while_hours_are_rebuilt(write, monkeypatch) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 3)
    began = rows.read_clock() - timedelta(hours=3)
    records = [write(began + timedelta(minutes=count)) for count in range(100)]

    def correct() -> None:
        for record in records[::7]:
            with transaction.atomic():
                rollups.note_correction(record.created_at)
                UsageRecord.objects.filter(pk=record.pk).update(charge_nanos=1, status="failed")
            rollups.roll_up()

    run_at_once(correct, lambda: [rollups.roll_up() for _ in range(40)], lambda: [rollups.roll_up() for _ in range(40)])
    rollups.roll_up()
    assert_rolled_up()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(DATABASE != "postgresql", reason="SQLite has one writer at a time")
def test_nothing_is_passed_over_that_an_open_transaction_may_still_add(write, monkeypatch) -> None:
    monkeypatch.setattr(rollups, "LAG", -timedelta(hours=1))
    written, may_commit = threading.Event(), threading.Event()

    def settle_slowly() -> None:
        with transaction.atomic():
            write(rows.read_clock())
            written.set()
            may_commit.wait(10)

    def roll_up_meanwhile() -> None:
        written.wait(10)
        write(rows.read_clock())
        added.append(rollups.roll_up())
        may_commit.set()

    added: list[int] = []
    run_at_once(settle_slowly, roll_up_meanwhile)
    assert [*added, rollups.roll_up()] == [0, 2]
    assert_rolled_up()


@pytest.mark.skipif(DATABASE != "postgresql", reason="SQLite has no other transactions")
@pytest.mark.parametrize(("kind", "holds_back"), [("client backend", True), ("autovacuum worker", False)])
def test_a_vacuum_adds_nothing_and_is_not_waited_for(db, kind: str, holds_back: bool) -> None:
    rows.execute(
        "CREATE TEMP VIEW pg_stat_activity AS SELECT current_database() AS datname, 0 AS pid, 7 AS backend_xid, "
        f"now() - interval '1 hour' AS xact_start, '{kind}' AS backend_type"
    )
    assert (rollups.read_horizon() < rows.read_clock() - timedelta(minutes=59)) == holds_back
