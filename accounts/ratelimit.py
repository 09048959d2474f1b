"""Requests per minute of a key, counted in this process by a fixed window.

Refused requests count too; the same count decides and fills the headers.
"""

import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from accounts.keys import KeyRecord


@dataclass(frozen=True, slots=True)
class RateState:
    """Where a key stands in its minute; ``reset_seconds`` until the next one begins."""

    limit: int
    remaining: int
    reset_seconds: float
    is_allowed: bool


class RateLimiter:
    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def hit(self, key: KeyRecord) -> RateState | None:
        """Count one request; None for a key without a limit."""
        if key.requests_per_minute is None:
            return None
        item = RateLimitItemPerMinute(key.requests_per_minute)
        is_allowed = self._limiter.hit(item, str(key.id))
        stats = self._limiter.get_window_stats(item, str(key.id))
        return RateState(item.amount, stats.remaining, max(0.0, stats.reset_time - time.time()), is_allowed)
