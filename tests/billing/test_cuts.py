"""The ledger's connection is cut at every statement of a batch, before and behind it, and the batch run again."""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from django.db import connection, connections

from billing import proof, rows
from billing.batcher import Batcher
from billing.holds import Admissions
from billing.models import Hold, Limit, UsageRecord
from billing.requests import Admission
from billing.settlements import Outcome, Tokens
from billing.settles import settle_batch
from billing.threads import LedgerThreads, _write_checkpoints
from tests.billing.conftest import run, run_mixed, settle, wallet_of
from tests.cutter import Cutter

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no connection to cut"),
]
TOKENS = Tokens(input=10, output=10)
CHARGE = 30_000


@pytest.fixture
def cutter(monkeypatch, db) -> Any:
    """A cutter on the way of all connections that are opened from now on."""
    connection.ensure_connection()  # the test's own goes straight
    cutter = Cutter(int(connection.settings_dict["PORT"]))
    monkeypatch.setitem(connections.settings["default"], "PORT", str(cutter.port))
    yield cutter
    cutter.close()


@pytest.fixture
def ledger(cutter, monkeypatch) -> Any:
    """A ledger thread whose connection goes through the cutter."""
    monkeypatch.setattr("billing.batcher.RECONNECT_SECONDS", 0)
    batcher = Batcher("cut")
    batcher.start()
    run(batcher, lambda items, **_: [Hold.objects.count()], [0])
    yield batcher
    batcher.stop()


def count_statements(cutter: Cutter, batch: Callable[[], Any]) -> int:
    """Return how many round trips a batch takes: one transaction or more, from BEGIN to COMMIT."""
    with cutter.noting() as statements:
        batch()
    assert statements[0].startswith("BEGIN")
    assert statements[-1].endswith("COMMIT")
    return len(statements)


def cut_everywhere(cutter: Cutter, batch: Callable[[], Any]) -> Any:
    """Run the batch once for each place at which its connection can be cut; give what it returned."""
    places = list(product(range(count_statements(cutter, batch)), (False, True)))
    assert len(places) >= 4
    for number, (index, behind) in enumerate(places, 1):
        cutter.cut_at(index, behind=behind)
        yield f"{'behind' if behind else 'before'} statement {index}", batch()
        assert cutter.cuts == number


def admit(ledger: Batcher, admissions: Admissions, *requests: Any) -> list[Admission]:
    decisions = run(ledger, admissions.admit_batch, requests)
    assert all(isinstance(decision, Admission) for decision in decisions)
    return decisions


def test_a_hold_that_is_cut_anywhere_is_held_once(ledger, cutter, make_key, ask, subtests) -> None:
    first, second, admissions = make_key(), make_key(), Admissions(uuid.uuid4())
    admit(ledger, admissions, ask(first), ask(second))  # opens their windows
    held = 2 + 3
    for place, _ in cut_everywhere(cutter, lambda: admit(ledger, admissions, ask(first), ask(second), ask(first))):
        held += 3
        with subtests.test(place):
            assert Hold.objects.filter(state="open").count() == held
            assert proof.check_books().differences == {}


def test_a_keys_first_hold_that_is_cut_anywhere_opens_its_windows_once(ledger, cutter, make_key, ask, subtests) -> None:
    admissions = Admissions(uuid.uuid4())
    for place, [admission] in cut_everywhere(cutter, lambda: admit(ledger, admissions, ask(make_key()))):
        with subtests.test(place):
            assert wallet_of(admission.request.key).held_nanos == admission.amount
            assert Limit.objects.filter(key=admission.request.key.id).count() == 2
            assert proof.check_books().differences == {}


def leave_open(admission: Admission) -> None:
    """The settlement finds its hold as it should be."""


def lose(admission: Admission) -> None:
    """The database has lost the hold."""
    Hold.objects.filter(pk=admission.request.id).delete()
    Limit.objects.filter(pk__in=admission.limits.ids).update(held_nanos=0)


def expire(admission: Admission) -> None:
    """The sweeper was first, and had no checkpoint to charge from."""
    settle_batch([replace(settle(admission, Tokens()), is_sweep=True)])


@pytest.mark.parametrize("happened", [leave_open, lose, expire])
def test_a_settle_that_is_cut_anywhere_is_charged_once(ledger, cutter, make_key, ask, subtests, happened) -> None:
    keys, admissions = [make_key(), make_key()], Admissions(uuid.uuid4())
    settled = 0

    def batch() -> list[Outcome]:
        nonlocal settled
        admitted = admissions.admit_batch([ask(key) for key in keys])
        for admission in admitted:
            happened(admission)
        settled += len(admitted)
        return run(ledger, settle_batch, [settle(admission, TOKENS) for admission in admitted])

    for place, outcomes in cut_everywhere(cutter, batch):
        with subtests.test(place):
            assert [outcome.charge for outcome in outcomes] == [CHARGE, CHARGE]
            assert Hold.objects.filter(state="settled").count() == UsageRecord.objects.count() == settled
            assert sum(wallet_of(key).spent_nanos for key in keys) == settled * CHARGE
            assert [wallet_of(key).held_nanos for key in keys] == [0, 0]
            assert proof.check_books().differences == {}


def test_a_round_that_is_cut_anywhere_moves_everything_once(ledger, make_key, ask, cutter, subtests) -> None:
    """Settles and holds in one transaction."""
    key, threads = make_key(), LedgerThreads()
    ledger._join, admit_batch = threads._join, threads._admissions.admit_batch
    rounds, total = 0, 0

    def batch() -> list[Any]:
        nonlocal rounds, total
        [running] = threads._admissions.admit_batch([ask(key)])
        outcome, admitted = run_mixed(ledger, [(settle_batch, settle(running, TOKENS)), (admit_batch, ask(key))])
        rounds, total = rounds + 1, total + admitted.amount
        return [outcome, admitted]

    for place, [outcome, admitted] in cut_everywhere(cutter, batch):
        with subtests.test(place):
            assert (outcome.charge, type(admitted)) == (CHARGE, Admission)
            assert Hold.objects.count() == 2 * rounds
            assert (wallet_of(key).spent_nanos, wallet_of(key).held_nanos) == (rounds * CHARGE, total)
            assert proof.check_books().differences == {}


def test_a_checkpoint_that_is_cut_anywhere_is_written(ledger, cutter, make_key, ask, subtests) -> None:
    [admission] = Admissions(uuid.uuid4()).admit_batch([ask(make_key())])
    written = itertools.count(1)

    def batch() -> int:
        number = next(written)
        run(ledger, _write_checkpoints, [[(admission.request.id, {"output": number})]])
        return number

    for place, number in cut_everywhere(cutter, batch):
        with subtests.test(place):
            assert Hold.objects.get().checkpoint == {"output": number}


def test_a_connection_that_the_server_ends_is_made_anew(ledger, make_key, ask) -> None:
    key, admissions = make_key(), Admissions(uuid.uuid4())
    admit(ledger, admissions, ask(key))
    rows.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    admit(ledger, admissions, ask(key))
    assert Hold.objects.count() == 2
