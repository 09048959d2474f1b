"""Natural batching: a ledger thread takes what waits, runs it in one transaction, answers, goes on.

While one transaction commits, the next batch gathers; behind a large one it is given two
milliseconds more, and where few ask nothing waits for a timer. Holds and settles share a
thread, and a transaction where both wait (``rounds``): each round trip to the database makes
the thread take the interpreter from all requests, which costs more than it writes.

What can go wrong with a batch, and what is done:
- a row is locked by somebody else: again at once, leaving out what is locked; that is
  tried beside each further batch and takes nobody's place in it;
- deadlock, serialization, SQLite busy: again;
- the connection is lost, its COMMIT perhaps unknown: reconnect and again, as a replay;
  holds wait two seconds at the most, settles until they succeed; a hold that is given up
  although it may be there is undone, however long that takes;
- whatever happens to a transaction of several kinds: each kind by itself;
- anything else (a value that the database refuses): one by one, so that no neighbour
  is hurt; what fails alone is tried without its texts, then given back as an error.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection

from billing.alarms import alarm
from billing.jobs import Handler, Job, Late, tell
from billing.requests import Deferred
from billing.settlements import Settlement
from billing.trouble import classify

MAX_BATCH = 64
MAX_WAITING = 4096
GATHER_FROM = 8
GATHER_SECONDS = 0.002
"""Behind a batch of so many the next grows for so long, as by PostgreSQL's commit_siblings and commit_delay.

A round costs ten times what a job in it does: both databases take a tenth less CPU, and answer no later.
"""
HOLD_PATIENCE_SECONDS = 2.0
LATE_SECONDS = 10.0
CONNECTION_ERRORS = (OperationalError, InterfaceError, InternalError)

RECONNECT_SECONDS = 0.1
STOP_SECONDS = 10.0
"""How long a thread that is to end tries on; what is left then is the sweeper's."""
DEFERRED_SECONDS = 0.01
"""How long to wait for something new before what is locked is tried again."""

logger = logging.getLogger(__name__)

Join = Callable[[Mapping[Handler, Sequence[Any]]], Mapping[Handler, Sequence[Any]] | None]
"""Takes the items of several handlers and runs them in one transaction; None for those that it does not join."""


class LedgerUnavailableError(Exception):
    """The ledger can't be reached; what was held all the same is given back as soon as it can be."""


class OverloadedError(Exception):
    """Too many requests wait for the ledger already."""


class Batcher:
    """A thread with a database connection of its own that runs jobs in batches of at most 64."""

    def __init__(self, name: str, join: Join | None = None) -> None:
        self._join = join
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"ledger-{name}")
        self._carried: list[Job] = []
        self._deferred: list[Job] = []
        self._is_pressed = False
        self._stopping = False
        self._give_up_at: float | None = None
        self._busy_since: float | None = None
        # A count for each side that counts: `+=` of two threads on one may lose some.
        self._submitted = 0
        self._ended = 0
        self.failures = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread when everything queued is done, or can't be done within ten seconds."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_healthy(self) -> bool:
        """False when the thread has died or has been busy with one batch for too long."""
        busy_since = self._busy_since
        is_late = busy_since is not None and time.monotonic() - busy_since > LATE_SECONDS
        return self._thread.is_alive() and not is_late

    @property
    def waiting(self) -> int:
        return self._submitted - self._ended

    def submit(
        self,
        handler: Handler,
        item: Any,
        patience: float | None = None,
        undo: Handler | None = None,
        late: Late | None = None,
    ) -> "asyncio.Future[Any]":
        """Queue an item; the future gets its result. Raises OverloadedError where patience is bounded.

        A future may be cancelled: its item is run all the same, and its result goes to ``late``. ``undo``
        takes items that were given up although a run of theirs may have been committed.
        """
        if patience is not None and self.waiting >= MAX_WAITING:
            raise OverloadedError
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._submitted += 1
        self._queue.put(Job(handler, item, patience, future, loop, undo, late))
        return future

    # --- the thread ---------------------------------------------------------

    def _run(self) -> None:
        while self._has_work:
            try:
                batch = self._take()
                self._busy_since = time.monotonic()
                self._run_batch(batch)
                self._retry_deferred()
            except Exception as error:
                # Whatever it is, the thread must live: it is the only way to the ledger.
                logger.exception("ledger thread: %s", type(error).__name__)
            finally:
                self._busy_since = None
        with suppress(DatabaseError, InterfaceError):
            connection.close()
        self._give_up()

    @property
    def _has_work(self) -> bool:
        if self._give_up_at is not None and time.monotonic() > self._give_up_at:
            return False
        return not self._stopping or bool(self._carried or self._deferred)

    def _give_up(self) -> None:
        left = self._carried + self._deferred
        if left:
            logger.error("ledger thread ends with %d items that it could not write", len(left))
        self._resolve([(job, None, LedgerUnavailableError()) for job in left])

    def _take(self) -> list[Job]:
        """Return the jobs to run next, at most MAX_BATCH; wait for one if there is nothing to do."""
        if self._is_pressed:
            time.sleep(GATHER_SECONDS)
        batch, self._carried = self._carried[:MAX_BATCH], self._carried[MAX_BATCH:]
        while len(batch) < MAX_BATCH:
            try:
                job = self._queue.get(
                    block=not batch and (bool(self._deferred) or not self._stopping),
                    timeout=DEFERRED_SECONDS if self._deferred else None,
                )
            except queue.Empty:
                break
            if job is None:
                self._stopping, self._give_up_at = True, time.monotonic() + STOP_SECONDS
                continue
            batch.append(job)
        self._is_pressed = len(batch) >= GATHER_FROM
        return batch

    def _retry_deferred(self) -> None:
        """Try the jobs that were left out, those that have waited longest, as a batch of their own."""
        batch, self._deferred = self._deferred[:MAX_BATCH], self._deferred[MAX_BATCH:]
        if batch:
            self._run_batch(batch)

    def _run_batch(self, batch: list[Job]) -> None:
        groups: dict[Handler, list[Job]] = {}
        for job in batch:
            groups.setdefault(job.handler, []).append(job)
        if self._run_joined(groups):
            return
        is_contended = False
        for handler, jobs in groups.items():
            for job in jobs:  # a locked row is waited for once, and not by each kind anew
                job.is_contended = job.is_contended or is_contended
            try:
                self._run_jobs(handler, jobs)
            except Exception as error:
                logger.exception("ledger batch: %s", type(error).__name__)
                kept = self._carried + self._deferred
                self._refuse([job for job in jobs if not job.is_ended and job not in kept], error)
            is_contended = is_contended or any(job.is_contended for job in jobs)

    def _run_joined(self, groups: Mapping[Handler, list[Job]]) -> bool:
        """Run jobs of several kinds in one transaction; False where nothing was written: each kind goes by itself."""
        is_plain = not self._deferred and not any(job.is_contended or job.is_replay for job in chain(*groups.values()))
        if not self._join or len(groups) < 2 or not is_plain:
            return False
        try:
            results = self._join({handler: [job.item for job in jobs] for handler, jobs in groups.items()})
        except Exception as error:
            jobs = list(chain(*groups.values()))
            trouble = classify(error) if isinstance(error, CONNECTION_ERRORS) else "poison"
            if trouble == "lost":
                self._carry_lost(jobs, error)
            for job in jobs:
                job.is_contended = trouble == "locked"
            return trouble == "lost"
        for handler, jobs in groups.items():
            if results:
                self._finish(jobs, results[handler])
        return results is not None

    def _run_jobs(self, handler: Handler, jobs: list[Job]) -> None:
        skip_locked = bool(self._deferred) or any(job.is_contended for job in jobs)
        try:
            results = self._call(handler, jobs, skip_locked)
        except CONNECTION_ERRORS as error:
            self._handle_trouble(handler, jobs, error, skip_locked)
        except Exception as error:
            self._run_one_by_one(handler, jobs, error)
        else:
            self._finish(jobs, results)

    def _call(self, handler: Handler, jobs: list[Job], skip_locked: bool) -> Sequence[Any]:
        is_replay = any(job.is_replay for job in jobs)
        return handler([job.item for job in jobs], is_replay=is_replay, skip_locked=skip_locked)

    def _handle_trouble(self, handler: Handler, jobs: list[Job], error: Exception, skip_locked: bool) -> None:
        trouble = classify(error)
        if trouble == "poison":
            self._run_one_by_one(handler, jobs, error)
            return
        if trouble == "locked" and skip_locked:
            self._find_locked(handler, jobs)
            return
        if trouble == "lost":
            self._carry_lost(jobs, error)
            return
        for job in jobs:
            job.is_contended = job.is_contended or trouble == "locked"
        self._carried += self._keep_patient(jobs)

    def _carry_lost(self, jobs: list[Job], error: Exception) -> None:
        """Reconnect, and run the jobs again as a replay: whether they were committed is not known."""
        logger.error("ledger connection lost: %s", type(error).__name__)
        with suppress(DatabaseError, InterfaceError):
            connection.close()
        time.sleep(RECONNECT_SECONDS)
        for job in jobs:
            job.is_replay = True
        self._carried += self._keep_patient(jobs)

    def _find_locked(self, handler: Handler, jobs: list[Job]) -> None:
        """What is locked is no row that a handler can leave out: a batch's fate must not hang on one job."""
        if len(jobs) == 1:
            self._defer(jobs)
            return
        for job in jobs:
            job.is_contended = True
            self._run_jobs(handler, [job])

    def _run_one_by_one(self, handler: Handler, jobs: list[Job], error: Exception) -> None:
        self._close_if_broken()
        if len(jobs) == 1:
            self._run_alone(handler, jobs[0], error)
            return
        for job in jobs:
            self._run_jobs(handler, [job])

    def _run_alone(self, handler: Handler, job: Job, error: Exception) -> None:
        """Try a job that fails by itself once more without its texts; then give it up to the sweeper."""
        self.failures += 1
        logger.error("ledger item failed alone: %s", type(error).__name__, exc_info=error)
        if job.is_bare or not isinstance(job.item, Settlement):
            if job.is_bare:
                alarm("settle failed", f"The settlement of {job.item.id} failed and is left to the sweeper.")
            self._refuse([job], error)
            return
        job.item, job.is_bare = job.item.money_only(), True
        self._run_jobs(handler, [job])

    def _close_if_broken(self) -> None:
        with suppress(DatabaseError, InterfaceError):
            connection.close_if_unusable_or_obsolete()

    def _finish(self, jobs: list[Job], results: Sequence[Any]) -> None:
        pairs = list(zip(jobs, results, strict=True))
        self._resolve([(job, result, None) for job, result in pairs if not isinstance(result, Deferred)])
        self._defer([job for job, result in pairs if isinstance(result, Deferred)])

    def _defer(self, jobs: list[Job]) -> None:
        for job in jobs:
            job.is_contended = True
        self._deferred += self._keep_patient(jobs)

    def _keep_patient(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs that are to be tried again; those out of patience get LedgerUnavailableError."""
        late = [job for job in jobs if job.is_out_of_patience]
        self._refuse(late, LedgerUnavailableError())
        return [job for job in jobs if job not in late]

    def _refuse(self, jobs: list[Job], error: Exception) -> None:
        """Answer with the error; what may have been committed all the same is undone."""
        undone = [Job(job.undo, job.item, None, None, job.loop) for job in jobs if job.undo and job.is_replay]
        self._ended -= len(undone)
        self._carried += undone
        self._resolve([(job, None, error) for job in jobs])

    def _resolve(self, results: Sequence[tuple[Job, Any, Exception | None]]) -> None:
        self._ended += len(results)
        for job, _, _ in results:
            job.is_ended = True
        loops = {job.loop for job, _, _ in results}
        for loop in loops:
            mine = [result for result in results if result[0].loop is loop]
            with suppress(RuntimeError):  # the loop has closed: nobody waits
                loop.call_soon_threadsafe(tell, mine)
