"""Which upstreams rest after failures: kept in memory, per process.

An upstream that failed ``FAILURES`` times in a row rests, a second at first, twice as
long each time, a minute at the most. One success makes it healthy again.
"""

import time
from dataclasses import dataclass

FAILURES = 3
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0


@dataclass(slots=True)
class _State:
    failures: int = 0
    rests_until: float = 0.0


class Health:
    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def is_resting(self, upstream: str) -> bool:
        state = self._states.get(upstream)
        return state is not None and state.rests_until > time.monotonic()

    def note_success(self, upstream: str) -> None:
        self._states.pop(upstream, None)

    def note_failure(self, upstream: str, *, retry_after: int | None = None) -> None:
        """Count a failure that says something about the upstream, not about the request."""
        state = self._states.setdefault(upstream, _State())
        state.failures += 1
        if state.failures >= FAILURES or retry_after:
            rest = retry_after or FIRST_REST_SECONDS * 2.0 ** min(state.failures - FAILURES, 6)
            state.rests_until = time.monotonic() + min(rest, LONGEST_REST_SECONDS)
