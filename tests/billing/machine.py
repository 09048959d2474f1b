"""All that can happen to money, in random order: what must hold after every step holds.

Grants, refunds, reversals, adjustments and payouts by people; holds, settles, checkpoints
and sweeps by processes; connections cut at any statement, lost commits, locked wallets,
lost holds, crashes, clock jumps, zone changes, Idempotency-Keys.
"""

import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from django.db import OperationalError, connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from accounts import keys, members
from accounts.keys import build_record
from accounts.models import APIKey, Organization, User
from billing import budgets, ledger, locks, pricing, proof, retention, rows, sweep
from billing.holds import Admissions
from billing.idempotency import Claim, Conflict
from billing.ledger import LedgerError
from billing.models import Hold, IdempotentAnswer, LedgerEntry, Limit, UsageRecord
from billing.requests import Admission, Deferred, HoldRequest, PriceRecord
from billing.settlements import Settlement, Tokens
from billing.settles import settle_batch
from tests.billing.clocks import set_clock
from tests.billing.conftest import settle

STEPS_OF_A_RUN = 50
ZONES = ["UTC", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Kiritimati"]
STARTS = [datetime(2090, 3, 24, 22, tzinfo=UTC), datetime(2090, 8, 31, 23, tzinfo=UTC)]
"""Some days before the clocks of these zones change; far enough ahead that no host's clock is there."""
numbers = itertools.count(1)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with a batch: the connection is cut at a statement or at COMMIT, a wallet is locked.

    ``minutes`` pass before it is run again.
    """

    minutes: int = 0
    cut_at: int | None = None
    is_commit_lost: bool = False
    locked: int | None = None


MINUTES = st.sampled_from([0, 60 * 24])
TROUBLES = st.one_of(
    st.just(Trouble()),
    st.builds(Trouble, MINUTES, cut_at=st.integers(0, 30), locked=st.none() | st.integers(0, 1)),
    st.builds(Trouble, MINUTES, is_commit_lost=st.just(True), locked=st.none() | st.integers(0, 1)),
    st.builds(Trouble, locked=st.integers(0, 1)),
)
KEY = st.integers(0, 1)
NANOS = st.sampled_from([1, 5_000_000, 40_000_000])
MOVEMENTS = ["grant", "credit", "reverse", "adjust", "take off", "payout"]
PROCESS = st.integers(0, 1)
SIZE = st.sampled_from([0, 50, 2000])
LIMIT = st.none() | st.sampled_from([1, 500, 4000])
ASKED = st.tuples(KEY, SIZE, LIMIT, st.none())
CLAIMED = st.tuples(KEY, SIZE, LIMIT, st.sampled_from(["order-1", "order-2"]))
STATUS = st.sampled_from(["completed", "failed"])
COUNTS = st.tuples(st.sampled_from([0, 7, 900, 30_000]), st.sampled_from([0, 3, 1200, 20_000]))


class Money(RuleBasedStateMachine):
    running = Bundle("running")
    ended = Bundle("ended")
    happened: ClassVar[Counter[str]] = Counter()
    """What has happened in this process, how often; its ``steps`` among it."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.now = STARTS[0]
        self.ids = itertools.count(1)  # a run that is tried again must go the same way
        self.patch = pytest.MonkeyPatch()
        set_clock(self.patch, lambda: self.now)
        self.owner = User.objects.create_user(f"{next(numbers)}@example.com")
        row = pricing.set_price(model="m", input_micros=1_000_000, cached_micros=500_000, output_micros=2_000_000)
        self.price = PriceRecord(row.pk, (1_000_000, 500_000, 2_000_000))
        self.processes = [Admissions(uuid.uuid4()), Admissions(uuid.uuid4())]
        self.keys = [self.make_key(budget) for budget in (None, 50_000_000)]
        self.taken_back = [False, False]
        self.free: dict[int, int | None] = {}
        for index in (0, 1):
            self.move("grant", index, 20_000_000, f"first {next(numbers)}")
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

    def count(self, what: str) -> None:
        self.happened[what] += 1

    # --- what a gateway does -----------------------------------------------------

    @initialize(target=running, start=st.sampled_from(STARTS), asked=st.lists(ASKED, min_size=1, max_size=5))
    def begin(self, start, asked):
        self.now = start
        self.beat()
        return self.admit(0, asked, Trouble())

    @rule(target=running, process=PROCESS, asked=ASKED, trouble=TROUBLES)
    def ask(self, process, asked, trouble):
        return self.admit(process, [asked], trouble)

    @rule(target=running, process=PROCESS, asked=st.lists(ASKED, min_size=2, max_size=5), trouble=TROUBLES)
    def ask_together(self, process, asked, trouble):
        return self.admit(process, asked, trouble)

    @rule(target=running, process=PROCESS, asked=st.lists(CLAIMED, min_size=1, max_size=3), trouble=TROUBLES)
    def ask_with_an_idempotency_key(self, process, asked, trouble):
        return self.admit(process, asked, trouble)

    def admit(self, process: int, asked: list[tuple[Any, ...]], trouble: Trouble) -> Any:
        requests = [
            HoldRequest(
                id=uuid.UUID(int=next(self.ids)),
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
        decisions = self.run_batch(self.processes[process].admit_batch, requests, trouble)
        for decision in decisions:
            self.count(str(decision) if isinstance(decision, Conflict) else type(decision).__name__)
        return multiple(*[decision for decision in decisions if isinstance(decision, Admission)])

    @rule(target=ended, admission=consumes(running), counts=COUNTS, status=STATUS, trouble=TROUBLES)
    def end(self, admission, counts, status, trouble):
        return self.settle([admission], counts, status, trouble)

    @rule(
        target=ended,
        admissions=st.lists(consumes(running), min_size=2, max_size=4),
        counts=COUNTS,
        status=STATUS,
        trouble=TROUBLES,
    )
    def end_together(self, admissions, counts, status, trouble):
        return self.settle(admissions, counts, status, trouble)

    def settle(self, admissions: list[Admission], counts: tuple[int, int], status: str, trouble: Trouble) -> Any:
        settlements = [
            settle(admission, Tokens(input=counts[0], output=counts[1]), status=status, answer=b"sealed")
            for admission in admissions
        ]
        for outcome in self.run_batch(settle_batch, settlements, trouble):
            self.count("uncollected" if outcome.uncollected else "charged" if outcome.charge else "released")
        return multiple(*settlements)

    def run_batch(self, handler: Callable[..., Sequence[Any]], items: list[Any], trouble: Trouble) -> list[Any]:
        """Run a batch as a ledger thread does: again when it was lost, again what was locked."""
        is_replay = self.lose(lambda: handler(items), trouble)
        self.now += timedelta(minutes=trouble.minutes)
        with self.locking(trouble.locked):
            results = dict(zip(map(id, items), handler(items, is_replay=is_replay, skip_locked=True), strict=True))
        if deferred := [item for item in items if isinstance(results[id(item)], Deferred)]:
            self.count("deferred")
            results |= zip(map(id, deferred), handler(deferred, is_replay=is_replay), strict=True)
        assert not any(isinstance(result, Deferred) for result in results.values())
        return [results[id(item)] for item in items]

    def lose(self, batch: Callable[[], Any], trouble: Trouble) -> bool:
        """Run the batch so that nobody hears its end; return whether it was run."""
        if trouble.cut_at is not None:
            return self.cut(batch, trouble.cut_at)
        if trouble.is_commit_lost:
            batch()
        return trouble.is_commit_lost

    def cut(self, batch: Callable[[], Any], at: int) -> bool:
        """Cut the connection at one of the batch's statements: it is rolled back, what committed before is not."""
        statements = itertools.count()
        is_rolling_back = False

        def run_or_cut(execute: Any, sql: str, *arguments: Any) -> Any:
            # A rollback that fails would break the transaction around all steps: it is spared, with its release.
            nonlocal is_rolling_back
            is_spared = sql.startswith("ROLLBACK") or is_rolling_back
            is_rolling_back = sql.startswith("ROLLBACK")
            if not is_spared and next(statements) == at:
                raise OperationalError("server closed the connection unexpectedly")
            return execute(sql, *arguments)

        try:
            with connection.execute_wrapper(run_or_cut):
                batch()
        except OperationalError:
            self.count("cut")
        return True

    @contextmanager
    def locking(self, index: int | None) -> Iterator[None]:
        """Let somebody else have locked the wallet of one key."""
        read_limits = locks.read_limits
        wallet = (
            Limit.objects.get(kind="wallet", organization=self.keys[index].organization_id)
            if index is not None
            else None
        )

        def leave_out(found: rows.Rows) -> dict[int, Any]:
            return {id_: row for id_, row in read_limits(found).items() if not wallet or id_ != wallet.pk}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(locks, "read_limits", leave_out)
            yield

    @rule(settlement=ended)
    def settle_again(self, settlement: Settlement) -> None:
        """Much later, a process that heard nothing of its settle runs it again: nothing moves."""
        before = dump()
        settle_batch([settlement], is_replay=True)
        assert dump() == before

    @rule(admission=running, counts=st.tuples(st.integers(0, 5000), st.integers(0, 5000)))
    def checkpoint(self, admission, counts) -> None:
        sweep.write_checkpoints([(admission.request.id, {"input": counts[0], "output": counts[1]})])

    @rule(admission=running)
    def lose_hold(self, admission) -> None:
        """The database loses the transaction of an open hold, as a standby that takes over can."""
        if Hold.objects.filter(pk=admission.request.id, state="open").delete()[0]:
            IdempotentAnswer.objects.filter(request=admission.request.id).delete()
            changes = locks.LimitChanges()
            changes.add(admission.limits.ids, held=-admission.amount)
            changes.write()

    @rule(admission=consumes(running), is_process_lost=st.booleans())
    def crash(self, admission, is_process_lost) -> None:
        """Forget a request, or all that processes know: only the sweeper can end it now."""
        if is_process_lost:
            self.processes = [Admissions(uuid.uuid4()), Admissions(uuid.uuid4())]
            self.beat()

    # --- what time does ----------------------------------------------------------

    @rule(minutes=st.sampled_from([0, 1, 30, 60 * 11, 60 * 24 * 3]), is_alive=st.booleans(), is_night=st.booleans())
    def jump(self, minutes: int, is_alive: bool, is_night: bool) -> None:
        self.now += timedelta(minutes=minutes, seconds=7)
        if is_alive:
            self.beat()
        if is_night:
            self.count("forgot some" if any(retention.forget_old().values()) else "forgot none")

    @rule(trouble=TROUBLES, is_silent=st.booleans())
    def sweep(self, trouble: Trouble, is_silent: bool) -> None:
        if is_silent:
            self.now += timedelta(seconds=sweep.SILENT_SECONDS + 1)
        if trouble.cut_at is not None:
            self.cut(sweep.sweep, trouble.cut_at)
        self.count("swept some" if sweep.sweep() else "swept none")

    # --- what people do ----------------------------------------------------------

    @rule(index=KEY, kind=st.sampled_from(MOVEMENTS), nanos=NANOS, is_repeated=st.booleans())
    def move_credit(self, index: int, kind: str, nanos: int, is_repeated: bool) -> None:
        reference = f"{kind} {next(numbers)}"
        for _ in range(2 if is_repeated else 1):
            try:
                self.move(kind, index, nanos, reference)
            except LedgerError:
                self.count(f"no {kind}")
        self.taken_back[index] |= kind in ("reverse", "take off")

    def move(self, kind: str, index: int, nanos: int, reference: str) -> None:
        function, sign = (ledger.adjust, -1) if kind == "take off" else (getattr(ledger, kind), 1)
        organization = self.keys[index].organization
        function(organization=organization, nanos=sign * nanos, actor="test", reason="test", reference=reference)
        self.note_free()

    @rule(settlement=ended, nanos=NANOS)
    def refund(self, settlement: Settlement, nanos: int) -> None:
        record = UsageRecord.objects.get(pk=settlement.id)
        try:
            ledger.refund(record=record, nanos=nanos, actor="test", reason="test", reference=str(next(numbers)))
        except LedgerError:
            self.count("no refund")
        else:
            self.count("refund")
        self.note_free()

    @rule(index=KEY, budget=st.none() | st.integers(0, 100_000_000), zone=st.sampled_from(ZONES))
    def edit(self, index: int, budget: int | None, zone: str) -> None:
        Organization.objects.filter(pk=self.keys[index].organization_id).update(time_zone=zone)
        budgets.update_key(key=self.keys[index], daily_budget_nanos=budget)
        self.note_free()

    # --- what must hold after each step ------------------------------------------

    def note_free(self) -> None:
        """A person has moved a limit: from here on it is watched again."""
        self.free = read_free()

    @invariant()
    def no_charge_makes_a_limit_negative(self) -> None:
        free = read_free()
        for id_, left in free.items():
            before = self.free.get(id_)
            assert left is None or left >= min(0, before or 0)
        self.free = free

    @invariant()
    def the_books_agree(self) -> None:
        self.count("steps")
        differences = proof.check_books_inside().differences
        assert not differences, differences

    @invariant()
    def no_wallet_is_overspent_but_by_people(self) -> None:
        free = dict(rows.execute(f"SELECT organization_id, {FREE} FROM billing_limit WHERE kind = 'wallet'"))
        for key, is_taken_back in zip(self.keys, self.taken_back, strict=True):
            assert free[key.organization_id] >= 0 or is_taken_back

    @invariant()
    def nothing_breaks_a_rule(self) -> None:
        for name, sql in BROKEN.items():
            broken = rows.execute(sql)
            assert not broken, f"not so: {name}: {broken}"


FREE = "limit_nanos - spent_nanos - held_nanos"
BROKEN = {
    "windows of a key never overlap": """
        SELECT one.id FROM billing_limit one JOIN billing_limit other
        ON one.key_id = other.key_id AND one.kind = other.kind AND one.id < other.id
        WHERE one.starts_at < other.ends_at AND other.starts_at < one.ends_at
    """,
    "every ended hold has its record, no open one has": """
        SELECT h.id FROM billing_hold h LEFT JOIN billing_usagerecord u ON u.id = h.id
        WHERE (h.state = 'open') <> (u.id IS NULL)
    """,
    "every recorded answer is of a request that completed": """
        SELECT a.id FROM billing_idempotentanswer a LEFT JOIN billing_usagerecord u
        ON u.id = a.request AND u.status = 'completed' WHERE a.state = 'recorded' AND u.id IS NULL
    """,
}
"""Rule → the rows that break it."""


def read_free() -> dict[int, int | None]:
    """Return what each limit has left."""
    return dict(rows.execute(f"SELECT id, {FREE} FROM billing_limit"))


def dump() -> list[Any]:
    """Return all rows that the ledger writes."""
    return [list(model.objects.order_by("pk").values()) for model in (Limit, Hold, LedgerEntry, UsageRecord)]


def run_steps(steps: int, progress: Callable[[int], None] = lambda done: None) -> int:
    """Take at least so many steps, in runs that begin anew; return how many. ``progress`` hears of each run."""
    began = Money.happened["steps"]

    class Told(Money):
        def teardown(self) -> None:
            super().teardown()
            progress(Money.happened["steps"] - began)

    while (left := steps - (Money.happened["steps"] - began)) > 0:
        run_state_machine_as_test(
            Told,
            settings=settings(
                max_examples=-(-left // STEPS_OF_A_RUN),
                stateful_step_count=STEPS_OF_A_RUN,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    return Money.happened["steps"] - began
