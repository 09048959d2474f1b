"""Natural batching: a ledger thread takes what waits, runs it in one transaction, answers, goes on.

Nothing waits for a timer: while one transaction commits, the next batch gathers.
On PostgreSQL holds and settles have a thread each; on SQLite, which has one writer
anyway, they share one.

What can go wrong with a batch, and what is done:
- a row is locked by somebody else: again at once, leaving out what is locked;
- deadlock, serialization, SQLite busy: again;
- the connection is lost, its COMMIT perhaps unknown: reconnect and again, as a replay;
  holds wait two seconds at the most, settles until they succeed;
- anything else (a value that the database refuses): one by one, so that no neighbour
  is hurt; what fails alone is tried without its texts, then given back as an error.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from billing.holds import Deferred
from billing.settles import Settlement

MAX_BATCH = 64
MAX_WAITING = 4096
HOLD_PATIENCE_SECONDS = 2.0
LATE_SECONDS = 10.0

logger = logging.getLogger(__name__)

Handler = Callable[..., Sequence[Any]]
"""Takes items of one kind, ``is_replay`` and ``skip_locked``; returns a result for each, or DEFERRED."""


class LedgerUnavailableError(Exception):
    """The ledger can't be reached; nothing was held."""


class OverloadedError(Exception):
    """Too many requests wait for the ledger already."""


@dataclass(slots=True, eq=False)
class Job:
    """One item on its way through a batcher, and whom to tell."""

    handler: Handler
    item: Any
    patience: float | None
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    queued_at: float = field(default_factory=time.monotonic)
    is_contended: bool = False
    is_replay: bool = False

    @property
    def is_out_of_patience(self) -> bool:
        return self.patience is not None and time.monotonic() - self.queued_at > self.patience


class Batcher:
    """A thread with a database connection of its own that runs jobs in batches of at most 64."""

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"ledger-{name}")
        self._carried: list[Job] = []
        self._stopping = False
        self._busy_since: float | None = None
        self.waiting = 0
        self.failures = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread when everything queued is done."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_healthy(self) -> bool:
        """False when the thread has died or has been busy with one batch for too long."""
        busy_since = self._busy_since
        is_late = busy_since is not None and time.monotonic() - busy_since > LATE_SECONDS
        return self._thread.is_alive() and not is_late

    def submit(self, handler: Handler, item: Any, patience: float | None = None) -> "asyncio.Future[Any]":
        """Queue an item; the future gets its result. Raises OverloadedError where patience is bounded."""
        if patience is not None and self.waiting >= MAX_WAITING:
            raise OverloadedError
        loop = asyncio.get_running_loop()
        job = Job(handler, item, patience, loop.create_future(), loop)
        self.waiting += 1
        self._queue.put(job)
        return job.future

    # --- the thread ---------------------------------------------------------

    def _run(self) -> None:
        while not (self._stopping and not self._carried):
            try:
                batch = self._take()
                self._busy_since = time.monotonic()
                self._run_batch(batch)
            except Exception as error:
                # Whatever it is, the thread must live: it is the only way to the ledger.
                logger.exception("ledger thread: %s", type(error).__name__)
            finally:
                self._busy_since = None
        connection.close()

    def _take(self) -> list[Job]:
        """Return the jobs that wait, at most MAX_BATCH; wait for one if there are none."""
        batch, self._carried = self._carried, []
        while len(batch) < MAX_BATCH:
            try:
                job = self._queue.get(block=not batch and not self._stopping)
            except queue.Empty:
                break
            if job is None:
                self._stopping = True
                continue
            batch.append(job)
        return batch

    def _run_batch(self, batch: list[Job]) -> None:
        for handler in dict.fromkeys(job.handler for job in batch):
            jobs = [job for job in batch if job.handler == handler]
            self._run_jobs(handler, jobs)

    def _run_jobs(self, handler: Handler, jobs: list[Job]) -> None:
        skip_locked = any(job.is_contended for job in jobs)
        try:
            results = self._call(handler, jobs, skip_locked)
        except (OperationalError, InterfaceError) as error:
            self._handle_trouble(handler, jobs, error)
        except Exception as error:
            self._close_if_broken()
            if len(jobs) == 1:
                self._run_alone(handler, jobs[0], error)
            else:
                for job in jobs:
                    self._run_jobs(handler, [job])
        else:
            self._finish(jobs, results)

    def _call(self, handler: Handler, jobs: list[Job], skip_locked: bool) -> Sequence[Any]:
        is_replay = any(job.is_replay for job in jobs)
        return handler([job.item for job in jobs], is_replay=is_replay, skip_locked=skip_locked)

    def _handle_trouble(self, handler: Handler, jobs: list[Job], error: Exception) -> None:
        trouble = classify(error)
        if trouble == "poison":
            self._run_one_by_one(handler, jobs, error)
            return
        if trouble == "lost":
            logger.error("ledger connection lost: %s", type(error).__name__)
            with suppress(DatabaseError, InterfaceError):
                connection.close()
            time.sleep(0.1)
        for job in jobs:
            job.is_contended = job.is_contended or trouble == "locked"
            job.is_replay = job.is_replay or trouble == "lost"
        self._carry(jobs)

    def _run_one_by_one(self, handler: Handler, jobs: list[Job], error: Exception) -> None:
        self._close_if_broken()
        for job in jobs:
            if len(jobs) == 1:
                self._run_alone(handler, job, error)
            else:
                self._run_jobs(handler, [job])

    def _run_alone(self, handler: Handler, job: Job, error: Exception) -> None:
        """Try a job that fails by itself once more without its texts; then give it up to the sweeper."""
        self.failures += 1
        logger.error("ledger item failed alone: %s", type(error).__name__)
        if not isinstance(job.item, Settlement):
            self._resolve([(job, None, error)])
            return
        try:
            results = handler([job.item.money_only()], is_replay=job.is_replay, skip_locked=True)
        except Exception as again:
            self._close_if_broken()
            self._resolve([(job, None, again)])
        else:
            self._finish([job], results)

    def _close_if_broken(self) -> None:
        with suppress(DatabaseError, InterfaceError):
            connection.close_if_unusable_or_obsolete()

    def _finish(self, jobs: list[Job], results: Sequence[Any]) -> None:
        done, deferred = [], []
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, Deferred):
                job.is_contended = True
                deferred.append(job)
            else:
                done.append((job, result, None))
        self._resolve(done)
        if deferred:
            self._carry(deferred)
            if not done:
                time.sleep(0.01)  # only locked rows left: don't spin

    def _carry(self, jobs: list[Job]) -> None:
        """Keep the jobs for the next batch; those out of patience get LedgerUnavailableError."""
        late = [job for job in jobs if job.is_out_of_patience]
        self._resolve([(job, None, LedgerUnavailableError()) for job in late])
        self._carried += [job for job in jobs if job not in late]

    def _resolve(self, results: Sequence[tuple[Job, Any, Exception | None]]) -> None:
        self.waiting -= len(results)
        loops = {job.loop for job, _, _ in results}
        for loop in loops:
            mine = [result for result in results if result[0].loop is loop]
            with suppress(RuntimeError):  # the loop has closed: nobody waits
                loop.call_soon_threadsafe(_tell, mine)


def _tell(results: Sequence[tuple[Job, Any, Exception | None]]) -> None:
    for job, result, error in results:
        if job.future.cancelled():
            continue
        if error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


def classify(error: Exception) -> str:
    """Tell what an OperationalError or InterfaceError means: ``locked``, ``retry``, ``lost`` or ``poison``.

    SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    state = getattr(error.__cause__, "sqlstate", None)
    if state == "55P03":
        return "locked"
    if state in ("40P01", "40001", "57014"):
        return "retry"
    if state and not state.startswith(("08", "57P", "53", "58", "XX")):
        return "poison"
    if connection.vendor == "sqlite" and "locked" in str(error):
        return "retry"
    return "lost"
