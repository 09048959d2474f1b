"""Somebody else holds rows of one wallet: the ledger serves all the others meanwhile."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import APIKey, Organization
from billing import batcher as module
from billing import budgets, ledger, locks, proof, rows, sweep
from billing.batcher import MAX_BATCH, Batcher
from billing.holds import Admissions
from billing.models import Hold, Limit
from billing.requests import DEFERRED, Admission, HoldRequest
from billing.settlements import Outcome, Settlement, Tokens
from billing.settles import settle_batch
from billing.threads import LedgerThreads, _write_checkpoints
from tests.billing.conftest import settle, submit_together, wallet_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no row locks"),
]


@pytest.fixture
def batcher() -> Any:
    batcher = Batcher("test")
    batcher.start()
    yield batcher
    batcher.stop()


@contextmanager
def holding(lock: Callable[[], Any]) -> Iterator[None]:
    """Another connection's transaction does this and does not end before the block does."""
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            lock()
            locked.set()
            release.wait(30)
        connection.close()

    somebody = threading.Thread(target=hold)
    somebody.start()
    locked.wait(10)
    try:
        yield
    finally:
        release.set()
        somebody.join()


def serve_beside(batcher: Batcher, handler: Any, locked: list[Any], others: list[Any], lock: Any) -> list[Any]:
    """Return the results of all; those of ``others`` came while the rows of ``locked`` were held."""

    async def run() -> list[Any]:
        with holding(lock):
            stuck = [batcher.submit(handler, item) for item in locked]
            served = [await batcher.submit(handler, item) for item in others]
            assert not any(future.done() for future in stuck)
        return [*await asyncio.gather(*stuck), *served]

    return asyncio.run(run())


def lock_wallet(key: Any) -> None:
    locks.lock_limits([wallet_of(key).pk])


def lock_windows(key: Any) -> None:
    locks.lock_limits(Limit.objects.filter(key=key.id).values_list("pk", flat=True))


def grant_credit(key: Any) -> None:
    ledger.grant(organization=Organization.objects.get(pk=key.organization_id), nanos=1, actor="admin")


def edit_budget(key: Any) -> None:
    budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=10**9)


TOKENS = Tokens(input=10, output=10)
LOCKS = [lock_wallet, lock_windows, grant_credit, edit_budget]


@pytest.mark.parametrize("lock", LOCKS)
def test_holds_of_other_wallets_are_answered(batcher, make_key, ask, lock) -> None:
    locked, free, admissions = make_key(), make_key(), Admissions(uuid.uuid4())
    admissions.admit_batch([ask(locked)])
    decisions = serve_beside(
        batcher, admissions.admit_batch, [ask(locked)], [ask(free), ask(make_key())], lambda: lock(locked)
    )
    assert all(isinstance(decision, Admission) for decision in decisions)
    assert proof.check_books().differences == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_settles_of_other_wallets_are_answered(batcher, make_key, ask, lock) -> None:
    locked, free = make_key(), make_key()
    mine, *others = settlements([ask(locked), ask(free), ask(free)])
    outcomes = serve_beside(batcher, settle_batch, [mine], others, lambda: lock(locked))
    assert all(isinstance(outcome, Outcome) for outcome in outcomes)
    assert proof.check_books().differences == {}


@pytest.fixture
def waits(monkeypatch) -> list[str]:
    """What the batcher met while it waited for a row."""
    met: list[str] = []
    classify = module.classify

    def note(error: Exception) -> str:
        met.append(classify(error))
        return met[-1]

    monkeypatch.setattr(module, "classify", note)
    return met


@pytest.mark.parametrize("is_joined", [True, False])
def test_a_locked_wallet_is_waited_for_once_by_holds_and_settles(batcher, make_key, ask, waits, is_joined) -> None:
    locked, free, threads = make_key(), make_key(), LedgerThreads()
    batcher._join, admit_batch = threads._join if is_joined else None, threads._admissions.admit_batch
    mine, other = (settle(admission, TOKENS) for admission in admit_batch([ask(locked), ask(free)]))
    jobs = [(settle_batch, other), (admit_batch, ask(free)), (settle_batch, mine), (admit_batch, ask(locked))]

    async def run() -> list[Any]:
        with holding(lambda: lock_wallet(locked)):
            futures = submit_together(batcher, jobs)
            await asyncio.gather(*futures[:2])
            assert waits == ["locked"]
        return await asyncio.gather(*futures)

    assert [type(result) for result in asyncio.run(run())] == [Outcome, Admission] * 2
    assert proof.check_books().differences == {}


def settlements(requests: list[HoldRequest]) -> list[Settlement]:
    admitted = Admissions(uuid.uuid4()).admit_batch(requests)
    return [settle(admission, Tokens(input=10, output=10)) for admission in admitted]


def test_a_crowd_at_a_locked_wallet_leaves_room_for_others(batcher, make_key, ask) -> None:
    locked, free, admissions = make_key(credit=100), make_key(), Admissions(uuid.uuid4())
    admissions.admit_batch([ask(locked), ask(free)])
    crowd = [ask(locked) for _ in range(3 * MAX_BATCH)]
    decisions = serve_beside(batcher, admissions.admit_batch, crowd, [ask(free)], lambda: lock_wallet(locked))
    assert all(isinstance(decision, Admission) for decision in decisions)
    assert proof.check_books().differences == {}


def test_a_locked_hold_stops_no_checkpoint_of_others(batcher, make_key, ask) -> None:
    locked, free = Admissions(uuid.uuid4()).admit_batch([ask(make_key()), ask(make_key())])
    checkpoints = [(admission.request.id, {"output": 1}) for admission in (locked, free)]
    with holding(lambda: locks.lock_holds([locked.request.id])):
        asyncio.run(submit(batcher, _write_checkpoints, checkpoints))
        assert Hold.objects.get(pk=free.request.id).checkpoint == {"output": 1}


async def submit(batcher: Batcher, handler: Any, item: Any) -> Any:
    return await batcher.submit(handler, item)


def test_what_was_given_up_waits_for_whoever_has_the_wallet(make_key, admissions, ask) -> None:
    request = ask(make_key())
    admissions.admit_batch([request])
    with holding(lambda: locks.lock_limits([wallet_of(request.key).pk])):
        assert sweep.release_given_up([request], skip_locked=True) == [DEFERRED]
    [outcome] = sweep.release_given_up([request], skip_locked=True)
    assert isinstance(outcome, Outcome)
    assert wallet_of(request.key).held_nanos == 0


def test_no_statement_of_a_batch_takes_longer_than_two_seconds() -> None:
    with transaction.atomic():
        rows.set_guards()
        assert rows.execute("SHOW statement_timeout") == [("2s",)]
    assert rows.execute("SHOW statement_timeout") == [("0",)]
