"""What a batcher carries: one item each, and whom to tell what became of it."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger(__name__)

Handler = Callable[..., Sequence[Any]]
"""Takes items of one kind, ``is_replay`` and ``skip_locked``; returns a result for each, or DEFERRED."""
Late = Callable[["asyncio.Future[Any]", Any], None]
"""Takes the future of an item that nobody waits for any more, and the item's result."""


@dataclass(slots=True, eq=False)
class Job:
    """One item on its way through a batcher, and whom to tell."""

    handler: Handler
    item: Any
    patience: float | None
    future: "asyncio.Future[Any] | None"
    loop: asyncio.AbstractEventLoop
    undo: Handler | None = None
    late: Late | None = None
    queued_at: float = field(default_factory=time.monotonic)
    is_contended: bool = False
    is_replay: bool = False
    is_bare: bool = False
    is_ended: bool = False

    @property
    def is_out_of_patience(self) -> bool:
        return self.patience is not None and time.monotonic() - self.queued_at > self.patience


def tell(results: Sequence[tuple[Job, Any, Exception | None]]) -> None:
    """Give each job its result or its error; runs in the jobs' loop."""
    for job, result, error in results:
        if job.future is None:
            continue
        if job.future.done():
            if job.late and error is None:
                _tell_late(job.late, job.future, result)
        elif error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


def _tell_late(late: Late, future: "asyncio.Future[Any]", result: Any) -> None:
    try:
        late(future, result)
    except Exception as error:  # those behind it wait for their results
        logger.exception("a late result is lost: %s", type(error).__name__)
