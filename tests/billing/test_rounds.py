"""Settles and holds that wait together are one transaction, and each kind is by itself where that can't be."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError

from billing import proof, threads
from billing.models import Hold, LedgerEntry, UsageRecord
from billing.requests import Admission, Refusal
from billing.rounds import run_round
from billing.settlements import Tokens
from billing.settles import settle_batch
from billing.threads import LedgerThreads
from tests.billing.conftest import run, run_mixed, settle, wallet_of

pytestmark = pytest.mark.django_db(transaction=True)
TOKENS = Tokens(input=10, output=10)
CHARGE = 30_000


class Round:
    """The ledger of a process, and how its rounds went."""

    def __init__(self) -> None:
        self.ledger = LedgerThreads()
        self.went: list[str] = []
        self.breaks: list[Exception] = []
        """What a round is to end with, although it has been committed."""

    def admit(self, *requests: Any) -> list[Any]:
        return run(self.ledger._batcher, self.ledger._admissions.admit_batch, requests)

    def run(self, settlements: list[Any], requests: list[Any]) -> list[Any]:
        """Return the outcomes, then the decisions, of what the ledger takes as one batch."""
        jobs = [(settle_batch, one) for one in settlements]
        jobs += [(self.ledger._admissions.admit_batch, one) for one in requests]
        return run_mixed(self.ledger._batcher, jobs)

    def note(self, *given: Any) -> Any:
        try:
            found = run_round(*given)
        except Exception:
            self.went.append("broken")
            raise
        self.went.append("whole")
        if self.breaks:
            raise self.breaks.pop()
        return found


@pytest.fixture
def round_(db, monkeypatch) -> Any:
    monkeypatch.setattr("billing.batcher.RECONNECT_SECONDS", 0)
    round_ = Round()
    monkeypatch.setattr(threads, "run_round", round_.note)
    round_.ledger.start()
    yield round_
    round_.ledger.stop()


def test_settles_and_holds_that_wait_are_one_transaction(round_, make_key, ask) -> None:
    key = make_key()
    first, second = round_.admit(ask(key), ask(key))
    *outcomes, third = round_.run([settle(first, TOKENS), settle(second, Tokens())], [ask(key)])
    assert round_.went == ["whole"]
    assert [outcome.charge for outcome in outcomes] == [CHARGE, 0]
    assert wallet_of(key).held_nanos == third.amount
    assert sorted(Hold.objects.values_list("state", flat=True)) == ["open", "released", "settled"]
    assert (UsageRecord.objects.count(), LedgerEntry.objects.filter(kind="charge").count()) == (2, 1)
    assert proof.check_books().differences == {}


def test_a_hold_may_take_what_a_settle_beside_it_gives_back(round_, make_key, ask) -> None:
    key = make_key(credit=0.004)
    [running] = round_.admit(ask(key))
    [too_much] = round_.admit(ask(key))
    assert isinstance(too_much, Refusal)
    _, admitted = round_.run([settle(running, TOKENS)], [ask(key)])
    assert isinstance(admitted, Admission)
    assert proof.check_books().differences == {}


@pytest.mark.parametrize("poison", [{"finish_reason": "long" * 100}, {"provider_request_id": "nul \x00"}])
def test_a_poisoned_round_is_run_kind_by_kind(round_, make_key, ask, poison) -> None:
    key = make_key()
    good, bad = (settle(admission, TOKENS) for admission in round_.admit(ask(key), ask(key)))
    *outcomes, admitted = round_.run([good, replace(bad, **poison)], [ask(key)])
    assert isinstance(admitted, Admission)
    assert [outcome.charge for outcome in outcomes] == [CHARGE, CHARGE]
    assert UsageRecord.objects.count() == 2
    assert proof.check_books().differences == {}


def test_a_round_whose_commit_is_unknown_moves_everything_once(round_, make_key, ask) -> None:
    key = make_key()
    [running] = round_.admit(ask(key))
    round_.breaks = [OperationalError("server closed the connection unexpectedly")]
    outcome, admitted = round_.run([settle(running, TOKENS)], [ask(key)])
    assert (round_.went, outcome.charge) == (["whole"], CHARGE)
    assert wallet_of(key).held_nanos == admitted.amount
    assert Hold.objects.count() == 2
    assert proof.check_books().differences == {}


def test_a_window_that_ends_in_a_round_gives_way_to_the_next(round_, make_key, ask, clock) -> None:
    key = make_key()
    [running] = round_.admit(ask(key))
    clock.forward(days=40)
    outcome, admitted = round_.run([settle(running, TOKENS)], [ask(key)])
    assert (round_.went, outcome.charge) == (["broken"], CHARGE)
    assert admitted.limits.day_id != running.limits.day_id
    assert proof.check_books().differences == {}
