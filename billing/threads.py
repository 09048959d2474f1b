"""The ledger of one gateway process: its thread, its heartbeat, and the ways into it."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, connection

from billing import sweep
from billing.batcher import HOLD_PATIENCE_SECONDS, Batcher
from billing.holds import Admissions
from billing.jobs import Handler, Late
from billing.refusals import Refused, write_refused
from billing.requests import HoldRequest
from billing.rounds import run_round
from billing.settlements import Settlement
from billing.settles import settle_batch

logger = logging.getLogger(__name__)

SILENT_SECONDS = 30.0
"""A process that could not say for so long that it is alive stops relaying: others may settle its holds."""


class LedgerThreads:
    def __init__(self) -> None:
        self.process = uuid.uuid4()
        self._admissions = Admissions(self.process)
        self._batcher = Batcher("writer", self._join)
        self._beaten_at = time.monotonic()

    def start(self) -> None:
        """Write the first heartbeat (a DatabaseError goes to the caller) and start the thread."""
        _call_once(sweep.beat, self.process)
        self._batcher.start()

    def stop(self) -> None:
        """Finish what is queued, then end the thread and say that this process is gone."""
        self._batcher.stop()
        try:
            _call_once(sweep.say_goodbye, self.process)
        except DatabaseError as error:
            logger.error("the ledger can't be told that this process ends: %s", type(error).__name__)

    @property
    def is_healthy(self) -> bool:
        return self._batcher.is_healthy and not self.is_silent

    @property
    def is_silent(self) -> bool:
        return time.monotonic() - self._beaten_at > SILENT_SECONDS

    def admit(self, request: HoldRequest, *, late: Late | None = None) -> "asyncio.Future[Any]":
        """Return a future of Admission or Refusal. Raises OverloadedError; the future may LedgerUnavailableError.

        A decision that nobody waits for any more goes to ``late``.
        """
        return self._batcher.submit(
            self._admissions.admit_batch, request, HOLD_PATIENCE_SECONDS, sweep.release_given_up, late
        )

    def _join(self, items: Mapping[Handler, Sequence[Any]]) -> Mapping[Handler, Sequence[Any]] | None:
        """Run holds and settles in one transaction."""
        admit = self._admissions.admit_batch
        if items.keys() != {admit, settle_batch}:
            return None
        decisions, outcomes = run_round(self._admissions, items[admit], items[settle_batch])
        return {admit: decisions, settle_batch: outcomes}

    def settle(self, settlement: Settlement) -> "asyncio.Future[Any]":
        """Return a future of the Outcome; it waits as long as the ledger is away."""
        return self._batcher.submit(settle_batch, settlement)

    def write_checkpoints(self, checkpoints: list[tuple[uuid.UUID, dict[str, Any]]]) -> "asyncio.Future[Any]":
        return self._batcher.submit(_write_checkpoints, checkpoints, HOLD_PATIENCE_SECONDS)

    def write_refused(self, refused: Refused) -> "asyncio.Future[Any]":
        return self._batcher.submit(_write_refused, refused, HOLD_PATIENCE_SECONDS)

    async def beat(self) -> None:
        """Say that this process is alive."""
        await self._batcher.submit(_beat, self.process, HOLD_PATIENCE_SECONDS)
        self._beaten_at = time.monotonic()


def _call_once(function: Callable[[uuid.UUID], None], process: uuid.UUID) -> None:
    """Call in a thread that is not ours, on a connection that is not left behind in it."""
    try:
        function(process)
    finally:
        connection.close()


def _write_checkpoints(batches: Sequence[list[tuple[uuid.UUID, dict[str, Any]]]], **_: bool) -> list[None]:
    sweep.write_checkpoints([checkpoint for batch in batches for checkpoint in batch])
    return [None] * len(batches)


def _write_refused(batches: Sequence[Refused], **_: bool) -> list[None]:
    for refused in batches:
        write_refused(refused)
    return [None] * len(batches)


def _beat(processes: Sequence[uuid.UUID], **_: bool) -> list[None]:
    for process in processes:
        sweep.beat(process)
    return [None] * len(processes)
