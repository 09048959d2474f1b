"""The services of one gateway process, and the ticker that watches over its running journeys.

One ticker a process, once a second, does what would otherwise be a timer a request:
comments into silent streams, time limits, checkpoints, the heartbeat, the sweep.
"""

import asyncio
import logging
import random
import time
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from accounts import keys
from accounts.keys import KeyCache
from accounts.ratelimit import RateLimiter
from accounts.reader import Reader
from accounts.versions import HEALTH, KEYS, ROUTES, VersionWatch
from billing import sweep
from billing.batcher import HOLD_PATIENCE_SECONDS
from billing.refusals import RefusalCounter
from billing.threads import LedgerThreads
from routing import sharing
from routing.estimates import Estimator
from routing.health import Health
from routing.messenger import Messenger
from routing.reasoning import ReasoningMemory
from routing.slots import Slots
from routing.snapshot import Snapshot, load_snapshot
from routing.upstream import Upstreams
from routing.waits import Deadline

TICK_SECONDS = 1.0
BEAT_SECONDS = 5.0
SWEEP_SECONDS = 30.0
REFUSALS_SECONDS = 2.0
HEALTH_SECONDS = 0.25
HOLD_SECONDS = HOLD_PATIENCE_SECONDS + 0.5
"""A ledger's thread that hangs in the database can't say so itself."""
SETTLE_SECONDS = 2.0

logger = logging.getLogger(__name__)


class RunningJourney(Protocol):
    """What the ticker asks of a request that is under way."""

    key_id: int

    def tick(self, now: float) -> None: ...
    def interrupt(self, reason: str) -> None: ...
    def take_checkpoint(self, now: float) -> tuple[UUID, dict[str, Any]] | None: ...


class Runtime:
    def __init__(self) -> None:
        self.watch = VersionWatch(on_change=self._note_change, on_poll=self._note_time)
        self.reader = Reader()
        self.background = Reader()
        self.keys = KeyCache(watch=self.watch, reader=self.reader)
        self.rates = RateLimiter(settings.REDIS_URL)
        self.reasoning = ReasoningMemory(settings.REDIS_URL)
        self.refusals = RefusalCounter()
        self.health = Health()
        self.messenger = Messenger(self.health, self.background)
        self.slots = Slots()
        self.hold_wait = Deadline(HOLD_SECONDS)
        self.settle_wait = Deadline(SETTLE_SECONDS)
        self.estimator = Estimator()
        self.chooser = random.Random()  # noqa: S311  (shares traffic, guards nothing)
        self.snapshot = Snapshot({}, {})
        self.journeys: set[RunningJourney] = set()
        self.drains: set[RunningJourney] = set()
        """Journeys that go on although their client has left."""
        self.body_bytes = 0
        self.drain_until: float | None = None
        # Counts, so that a change while the last one is acted on is not lost.
        self._key_changes = 0
        self._key_changes_acted_on = 0
        self._is_cutting = False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Read everything once and start threads and ticker. Raises DatabaseError."""
        self._loop = asyncio.get_running_loop()
        self.upstreams = Upstreams()
        self.ledger = LedgerThreads()
        await asyncio.to_thread(self.ledger.start)
        try:
            await asyncio.to_thread(self.watch.start)
        except Exception:
            await asyncio.to_thread(self.ledger.stop)  # its threads would keep the process alive
            raise
        self.spawn(self._run_ticker())
        self.spawn(self._run_periodically(BEAT_SECONDS, self.ledger.beat))
        self.spawn(self._run_periodically(SWEEP_SECONDS, self._sweep))
        self.spawn(self._run_periodically(REFUSALS_SECONDS, self._write_refused))
        self.spawn(self._run_periodically(HEALTH_SECONDS, self.messenger.tell))

    async def stop(self) -> None:
        """Wait for the journeys, write what is left, end the threads; none of it hangs on what fails before."""
        self.begin_drain()
        # Each journey ends within the drain time, by itself or by the ticker.
        while self.journeys:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for end in (
            self._write_refused,
            self.messenger.tell,
            partial(asyncio.to_thread, self.watch.stop),
            partial(asyncio.to_thread, self.ledger.stop),
            self.upstreams.close,
            self.rates.close,
            self.reasoning.close,
            partial(asyncio.to_thread, self.background.stop),
            partial(asyncio.to_thread, self.reader.stop),
        ):
            try:
                await end()
            except Exception as error:
                logger.error("at the end: %s", type(error).__name__, exc_info=error)

    @property
    def is_draining(self) -> bool:
        return self.drain_until is not None

    @property
    def is_ready(self) -> bool:
        return not self.is_draining and self.ledger.is_healthy and not self.watch.is_blind

    def begin_drain(self) -> None:
        """Refuse new requests; open ones may run on for the drain time."""
        if self.drain_until is None:
            self.drain_until = time.monotonic() + settings.DRAIN_SECONDS

    def spawn(self, coroutine: Any) -> None:
        """Run a coroutine beside; the process keeps a reference until it ends."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("beside: %s", type(error).__name__, exc_info=error)

    def _note_change(self, name: str) -> None:
        # In the watch's thread: a new snapshot replaces the old one in one assignment.
        if name == ROUTES:
            self.snapshot = load_snapshot()
        if name == KEYS:
            self._key_changes += 1
        if name == HEALTH:
            self._loop.call_soon_threadsafe(self.messenger.hear, sharing.read_news())

    def _note_time(self) -> None:
        if self.snapshot.is_over:
            self.snapshot = load_snapshot()

    async def _run_ticker(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._tick(time.monotonic())
            except Exception as error:
                logger.exception("ticker: %s", type(error).__name__)

    async def _tick(self, now: float) -> None:
        journeys = list(self.journeys)
        for journey in journeys:
            journey.tick(now)
        self._stop_where_needed(journeys, now)
        checkpoints = [found for journey in journeys if (found := journey.take_checkpoint(now))]
        if checkpoints:
            self.spawn(self._write_checkpoints(checkpoints))
        if journeys and self._key_changes != self._key_changes_acted_on and not self._is_cutting:
            self.spawn(self._cut_revoked(journeys))

    def _stop_where_needed(self, journeys: list[RunningJourney], now: float) -> None:
        reason = "drain" if self.drain_until and now > self.drain_until else "silent" if self.ledger.is_silent else ""
        if reason:
            for journey in journeys:
                journey.interrupt(reason)

    async def _cut_revoked(self, journeys: list[RunningJourney]) -> None:
        """Cut the answers of revoked keys; beside the ticker, which tries again until it has succeeded."""
        self._is_cutting, changes = True, self._key_changes
        try:
            revoked = await self.reader.run(keys.find_revoked, {journey.key_id for journey in journeys})
        finally:
            self._is_cutting = False
        self._key_changes_acted_on = changes
        for journey in journeys:
            if journey.key_id in revoked:
                journey.interrupt("revoked")

    async def _write_checkpoints(self, checkpoints: list[tuple[UUID, dict[str, Any]]]) -> None:
        await self.ledger.write_checkpoints(checkpoints)

    async def _write_refused(self) -> None:
        if refused := self.refusals.take():
            await self.ledger.write_refused(refused)

    async def _sweep(self) -> None:
        if swept := await self.background.run(sweep.sweep):
            logger.warning("swept %d abandoned holds", swept)

    async def _run_periodically(self, seconds: float, action: Any) -> None:
        while True:
            try:
                await action()
            except Exception as error:
                # The database may be away for a while; the next turn tries again.
                logger.warning("%s: %s", getattr(action, "__name__", "task"), type(error).__name__)
            await asyncio.sleep(seconds)


_runtime: Runtime | None = None


def set_runtime(runtime: Runtime | None) -> None:
    """Make this the process's runtime; the ASGI lifespan does it."""
    global _runtime
    _runtime = runtime


def get_runtime() -> Runtime | None:
    """Return the process's runtime, None outside a gateway process."""
    return _runtime
