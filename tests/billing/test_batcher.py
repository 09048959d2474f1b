"""The ledger threads: natural batches, and what goes wrong with them, on a real database."""

import asyncio
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import DataError, OperationalError

from billing import proof, sweep
from billing.batcher import Batcher, LedgerUnavailableError
from billing.holds import Admissions
from billing.models import Hold, UsageRecord
from billing.requests import Admission, HoldRequest
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle, wallet_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def batcher() -> Any:
    batcher = Batcher("test")
    batcher.start()
    yield batcher
    batcher.stop()


def gather(make: Callable[[], list[Any]]) -> list[Any]:
    """Submit in a loop of its own and wait for all results, errors among them."""

    async def run() -> list[Any]:
        async with asyncio.timeout(30):
            return await asyncio.gather(*make(), return_exceptions=True)

    return asyncio.run(run())


def test_what_waits_goes_in_one_batch(batcher) -> None:
    sizes = []
    first = threading.Event()

    def handle(items, **_):
        first.wait(5)
        sizes.append(len(items))
        return items

    def make():
        futures = [batcher.submit(handle, number) for number in range(100)]
        first.set()
        return futures

    assert gather(make) == list(range(100))
    assert sum(sizes) == 100
    assert max(sizes) <= 64


def test_parallel_requests_never_hold_more_than_there_is(batcher, make_key, ask) -> None:
    key, admissions = make_key(credit=0.01), Admissions(uuid.uuid4())
    requests = [ask(key) for _ in range(50)]
    decisions = gather(lambda: [batcher.submit(admissions.admit_batch, request, 2.0) for request in requests])
    admitted = [decision for decision in decisions if isinstance(decision, Admission)]
    assert len(admitted) == 3
    assert proof.check_books().differences == {}


def test_what_nobody_waits_for_any_more_is_run_and_goes_to_late(batcher) -> None:
    ran, came_late = [], []

    async def give_up() -> None:
        future = batcher.submit(
            lambda items, **_: ran.append(items) or items, 7, late=lambda *late: came_late.append(late)
        )
        future.cancel()
        await batcher.submit(lambda items, **_: items, 8)
        assert came_late == [(future, 7)]

    asyncio.run(give_up())
    assert ran == [[7]]


def test_a_late_result_that_nobody_takes_keeps_no_other_back(batcher) -> None:
    is_held = threading.Event()

    def handle(items, **_):
        is_held.wait(5)
        return items

    async def give_up() -> int:
        batcher.submit(handle, 1)
        batcher.submit(handle, 2, late=Mock(side_effect=ValueError)).cancel()
        behind = batcher.submit(handle, 3)
        is_held.set()
        async with asyncio.timeout(10):
            return await behind

    assert asyncio.run(give_up()) == 3


POISONED_SETTLES = {
    "nul": {"provider_request_id": "nul \x00"},
    "surrogate": {"finish_reason": "a lone \ud800 surrogate"},
    "nul in attempts": {"attempts": [{"route": "\x00"}]},
    "too long": {"finish_reason": "long" * 100},
    "huge": {"first_token_ms": 2**70},
    "huge cost": {"cost_nanos": 2**63, "cost": Decimal("1e30")},
    "no cost": {"cost": Decimal("NaN")},
}


@pytest.mark.parametrize("poison", POISONED_SETTLES)
def test_a_poisoned_settle_is_charged_and_hurts_no_neighbour(batcher, make_key, ask, poison) -> None:
    key, admissions = make_key(), Admissions(uuid.uuid4())
    good, bad, too = (
        settle(admission, Tokens(input=10, output=10))
        for admission in admissions.admit_batch([ask(key) for _ in range(3)])
    )
    bad = replace(bad, **POISONED_SETTLES[poison])
    outcomes = gather(lambda: [batcher.submit(settle_batch, item) for item in (good, bad, too)])
    assert [outcome.charge for outcome in outcomes] == [30_000] * 3
    assert UsageRecord.objects.count() == 3
    assert proof.check_books().differences == {}


POISONED_HOLDS = {
    "nul": {"client_request_id": "nul \x00"},
    "surrogate": {"client_request_id": "\ud800"},
    "huge": {"sdk_retry": 2**63},
    "huge input": {"input_bound": 2**70},
}


@pytest.mark.parametrize("poison", POISONED_HOLDS)
def test_a_poisoned_hold_hurts_no_neighbour(batcher, make_key, ask, poison) -> None:
    key, admissions = make_key(), Admissions(uuid.uuid4())
    good, bad, too = ask(key), ask(key, **POISONED_HOLDS[poison]), ask(key)
    decisions = gather(lambda: [batcher.submit(admissions.admit_batch, item, 2.0) for item in (good, bad, too)])
    assert isinstance(decisions[0], Admission)
    assert isinstance(decisions[2], Admission)
    assert proof.check_books().differences == {}


def test_a_poisoned_settle_outlives_a_lost_connection(batcher) -> None:
    """Its second try, without texts, is lost with the connection: that is no reason to give it up."""
    tries = []

    def settle_later(items, **_):
        tries.append(items)
        if len(tries) == 1:
            raise DataError("no")
        if len(tries) == 2:
            raise OperationalError("server closed the connection unexpectedly")
        return items

    poisoned = settle(Mock(), Tokens(), finish_reason="\x00")
    [settled] = gather(lambda: [batcher.submit(settle_later, poisoned)])
    assert settled.finish_reason == ""
    assert len(tries) == 3


def test_what_fails_alone_is_given_back_as_an_error(batcher) -> None:
    def handle(items, **_):
        if "bad" in items:
            raise DataError("no")
        return items

    good, bad = gather(lambda: [batcher.submit(handle, "good"), batcher.submit(handle, "bad")])
    assert good == "good"
    assert isinstance(bad, DataError)


def test_a_lost_commit_is_run_again_and_moves_nothing_twice(batcher, make_key, ask) -> None:
    key, admissions = make_key(), Admissions(uuid.uuid4())
    lost = iter([True, False])

    def admit_then_lose(items: list[HoldRequest], **options: bool) -> list[Any]:
        decisions = admissions.admit_batch(items, **options)
        if next(lost):
            raise OperationalError("server closed the connection unexpectedly")
        return decisions

    [decision] = gather(lambda: [batcher.submit(admit_then_lose, ask(key), 5.0)])
    assert isinstance(decision, Admission)
    assert wallet_of(key).held_nanos == decision.amount
    assert Hold.objects.count() == 1


def test_a_hold_waits_two_seconds_for_a_lost_ledger_a_settle_as_long_as_it_takes(batcher) -> None:
    tries = {"hold": 0, "settle": 0}

    def always_lost(items, **_):
        tries["hold"] += 1
        raise OperationalError("gone")

    def lost_for_a_while(items, **_):
        tries["settle"] += 1
        if tries["settle"] < 5:
            raise OperationalError("gone")
        return items

    held, settled = gather(lambda: [batcher.submit(always_lost, 1, 0.3), batcher.submit(lost_for_a_while, 2)])
    assert isinstance(held, LedgerUnavailableError)
    assert settled == 2


def test_a_thread_that_is_to_end_does_not_wait_for_the_ledger_for_ever(monkeypatch) -> None:
    monkeypatch.setattr("billing.batcher.STOP_SECONDS", 0.2)
    batcher = Batcher("stopping")
    batcher.start()

    def always_lost(items, **_):
        raise OperationalError("gone")

    async def run() -> Any:
        future = batcher.submit(always_lost, 1)
        await asyncio.to_thread(batcher.stop)
        return await asyncio.wait_for(future, 10)

    with pytest.raises(LedgerUnavailableError):
        asyncio.run(run())


def test_a_stopped_batcher_has_done_everything_that_waited(make_key) -> None:
    batcher = Batcher("stopping")
    done = []
    batcher.start()

    async def run() -> None:
        for number in range(10):
            batcher.submit(lambda items, **_: done.extend(items) or items, number)

    asyncio.run(run())
    batcher.stop()
    assert done == list(range(10))
    assert not batcher.is_healthy


def test_a_hold_that_is_given_up_behind_an_unknown_commit_is_given_back(batcher, make_key, ask) -> None:
    key, admissions = make_key(), Admissions(uuid.uuid4())
    committed = []

    def admit_then_stay_away(items: list[HoldRequest], **options: bool) -> list[Any]:
        if not committed:
            committed.extend(admissions.admit_batch(items, **options))
        raise OperationalError("server closed the connection unexpectedly")

    def make():
        return [batcher.submit(admit_then_stay_away, ask(key), 0.05, sweep.release_given_up)]

    [refused] = gather(make)
    assert isinstance(refused, LedgerUnavailableError)
    batcher.stop()
    assert (Hold.objects.get().state, wallet_of(key).held_nanos) == ("released", 0)
    record = UsageRecord.objects.get()
    assert (record.status, record.error_code, record.charge_nanos) == ("failed", "ledger_unavailable", 0)
    assert batcher.waiting == 0
    assert proof.check_books_inside().differences == {}


def test_what_was_given_up_without_a_hold_leaves_nothing(batcher, make_key, ask) -> None:
    request = ask(make_key())

    def never(items, **_):
        raise OperationalError("gone")

    [refused] = gather(lambda: [batcher.submit(never, request, 0.05, sweep.release_given_up)])
    assert isinstance(refused, LedgerUnavailableError)
    batcher.stop()
    assert not Hold.objects.exists() and not UsageRecord.objects.exists()


def test_nobody_waits_for_ever_when_the_thread_stumbles(batcher) -> None:
    def one_result_too_few(items, **_):
        return items[1:]

    answers = gather(lambda: [batcher.submit(one_result_too_few, number) for number in range(3)])
    assert all(isinstance(answer, ValueError) for answer in answers)
    assert batcher.waiting == 0
