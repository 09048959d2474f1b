"""Grants, holds, settles, sweeps, lost commits, crashes and clock jumps in random order.

After every step the books must agree with themselves and no limit may be overspent.
"""

import itertools
import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts import keys, members
from accounts.keys import build_record
from accounts.models import APIKey, Organization, User
from billing import budgets, idempotency, ledger, pricing, proof, rows, sweep
from billing.holds import Admission, Admissions, HoldRequest, PriceRecord
from billing.idempotency import Claim, Conflict
from billing.models import Hold, IdempotentAnswer, Limit, UsageRecord
from billing.settles import Tokens, settle_batch
from tests.billing.conftest import settle

STEPS = int(os.environ.get("SMARTOKEN_MACHINE_STEPS", "500"))
ZONES = ["UTC", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Kiritimati"]
numbers = itertools.count(1)


class LostCommitError(Exception):
    """Stands for a connection that broke at COMMIT."""


class Money(RuleBasedStateMachine):
    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.lowered: set[int] = set()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.now = datetime.now(UTC)
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(rows, "read_clock", lambda: self.now)
        self.owner = User.objects.create_user(f"{next(numbers)}@example.com")
        row = pricing.set_price(model="m", input_micros=1_000_000, cached_micros=500_000, output_micros=2_000_000)
        self.price = PriceRecord(row.pk, (1_000_000, 500_000, 2_000_000))
        self.processes = [Admissions(uuid.uuid4()), Admissions(uuid.uuid4())]
        self.keys = [self.make_key(budget) for budget in (None, 50_000_000)]
        for index in (0, 1):
            self.grant_credit(index, 20_000_000)
        self.beat()

    def make_key(self, budget: int | None) -> APIKey:
        organization = members.create_organization(owner=self.owner)
        key, _ = keys.create_key(organization=organization, created_by=self.owner, name="k", daily_budget_nanos=budget)
        return key

    def teardown(self) -> None:
        self.patch.undo()
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def beat(self) -> None:
        for process in self.processes:
            sweep.beat(process._process)

    @rule(index=st.integers(0, 1), nanos=st.sampled_from([1, 5_000_000, 40_000_000]))
    def grant(self, index: int, nanos: int) -> None:
        self.grant_credit(index, nanos)

    def grant_credit(self, index: int, nanos: int) -> None:
        ledger.grant(organization=self.keys[index].organization, nanos=nanos, actor="test")

    @rule(
        target=running,
        process=st.integers(0, 1),
        asked=st.lists(
            st.tuples(
                st.integers(0, 1),
                st.sampled_from([0, 50, 2000]),
                st.none() | st.sampled_from([1, 500, 4000]),
                st.none() | st.sampled_from(["order-1", "order-2"]),
            ),
            min_size=1,
            max_size=5,
        ),
        is_commit_lost=st.booleans(),
        is_rolled_back=st.booleans(),
    )
    def admit(self, process, asked, is_commit_lost, is_rolled_back):
        requests = [
            HoldRequest(
                id=uuid.uuid4(),
                key=build_record(APIKey.objects.select_related("organization").get(pk=self.keys[index].pk)),
                model="m",
                price=self.price,
                input_bound=size,
                output_limit=limit,
                default_output=4096,
                claim=Claim(name, bytes([size % 251])) if name else None,
            )
            for index, size, limit, name in asked
        ]
        admissions = self.processes[process]
        if is_commit_lost:
            # Windows are made in a transaction of their own: not in the one that is lost here.
            admissions._find_limits(requests, skip_locked=False)
            self.lose_commit(lambda: admissions.admit_batch(requests), is_rolled_back)
        decisions = admissions.admit_batch(requests, is_replay=is_commit_lost)
        for decision in decisions:
            event(str(decision) if isinstance(decision, Conflict) else type(decision).__name__)
        return multiple(*[decision for decision in decisions if isinstance(decision, Admission)])

    def lose_commit(self, run, is_rolled_back: bool) -> None:
        """Run a batch whose COMMIT nobody hears of: it may have happened or not."""
        try:
            with transaction.atomic():
                run()
                if is_rolled_back:
                    raise LostCommitError
        except LostCommitError:
            pass

    @rule(
        admission=consumes(running),
        counts=st.tuples(st.sampled_from([0, 7, 900, 30_000]), st.sampled_from([0, 3, 1200, 20_000])),
        status=st.sampled_from(["completed", "failed"]),
        is_commit_lost=st.booleans(),
        is_rolled_back=st.booleans(),
    )
    def end(self, admission, counts, status, is_commit_lost, is_rolled_back) -> None:
        settlement = settle(admission, Tokens(input=counts[0], output=counts[1]), status=status, answer=b"sealed")
        if is_commit_lost:
            self.lose_commit(lambda: settle_batch([settlement]), is_rolled_back)
        [outcome] = settle_batch([settlement], is_replay=is_commit_lost)
        event("uncollected" if outcome.uncollected else "charged" if outcome.charge else "released")

    @rule(admission=running, counts=st.tuples(st.integers(0, 5000), st.integers(0, 5000)))
    def checkpoint(self, admission, counts) -> None:
        sweep.write_checkpoints([(admission.request.id, {"input": counts[0], "output": counts[1]})])

    @rule(admission=consumes(running))
    def crash(self, admission) -> None:
        """Forget a request: only the sweeper can end it now."""

    @rule(minutes=st.sampled_from([0, 1, 30, 60 * 11, 60 * 24 * 3]), is_alive=st.booleans())
    def jump(self, minutes: int, is_alive: bool) -> None:
        self.now += timedelta(minutes=minutes, seconds=7)
        if is_alive:
            self.beat()

    @rule()
    def sweep(self) -> None:
        event("swept some" if sweep.sweep() else "swept none")

    @rule()
    def forget(self) -> None:
        event("forgot some" if idempotency.forget_answers() else "forgot none")

    @rule(index=st.integers(0, 1), budget=st.none() | st.integers(0, 100_000_000))
    def edit_budget(self, index: int, budget: int | None) -> None:
        budgets.update_key(key=self.keys[index], daily_budget_nanos=budget)
        # What running requests hold stays theirs: such a window is over its limit by a person's will.
        windows = Limit.objects.filter(key=self.keys[index], limit_nanos__lt=F("spent_nanos") + F("held_nanos"))
        self.lowered |= set(windows.values_list("pk", flat=True))

    @rule(index=st.integers(0, 1), zone=st.sampled_from(ZONES))
    def move(self, index: int, zone: str) -> None:
        Organization.objects.filter(pk=self.keys[index].organization_id).update(time_zone=zone)

    @precondition(lambda self: Hold.objects.filter(state="open").exists())
    @rule()
    def restart(self) -> None:
        self.processes = [Admissions(uuid.uuid4()), Admissions(uuid.uuid4())]
        self.beat()

    @invariant()
    def the_books_agree(self) -> None:
        assert proof.check_books_inside().differences == {}

    @invariant()
    def no_budget_is_overspent(self) -> None:
        windows = Limit.objects.exclude(kind="wallet").exclude(limit_nanos=None).exclude(pk__in=self.lowered)
        for window in windows:
            assert window.spent_nanos + window.held_nanos <= window.limit_nanos

    @invariant()
    def no_wallet_is_overspent(self) -> None:
        for wallet in Limit.objects.filter(kind="wallet"):
            assert wallet.spent_nanos + wallet.held_nanos <= (wallet.limit_nanos or 0)

    @invariant()
    def every_recorded_answer_is_of_a_request_that_completed(self) -> None:
        recorded = IdempotentAnswer.objects.filter(state="recorded").values("request")
        assert UsageRecord.objects.filter(pk__in=recorded, status="completed").count() == len(recorded)

    @invariant()
    def windows_of_a_key_never_overlap(self) -> None:
        for key in self.keys:
            days = list(Limit.objects.filter(key=key, kind="key_day").order_by("starts_at"))
            assert all(first.ends_at <= second.starts_at for first, second in itertools.pairwise(days))

    @invariant()
    def every_ended_hold_has_its_record(self) -> None:
        ended = Hold.objects.exclude(state="open").count()
        assert UsageRecord.objects.count() == ended


@pytest.mark.django_db
def test_money_stays_right_whatever_happens() -> None:
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=max(1, STEPS // 50),
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
