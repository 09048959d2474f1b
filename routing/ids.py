"""Ids of requests: UUIDs of version 7, which sort by the time they were made (RFC 9562)."""

import os
import time
from uuid import UUID

POOL = 256
"""So many draws of 10 bytes at once: each call of the kernel gives other threads the interpreter."""

_pool: list[int] = []
os.register_at_fork(after_in_child=_pool.clear)


def make_request_id() -> UUID:
    """Return a new id: 48 bits of milliseconds, 74 of randomness."""
    milliseconds = time.time_ns() // 1_000_000
    random = _draw()
    value = (milliseconds & (2**48 - 1)) << 80 | 7 << 76 | (random >> 68 & 0xFFF) << 64 | 2 << 62 | random & (2**62 - 1)
    return UUID(int=value)


def _draw() -> int:
    """Return 80 random bits."""
    try:
        return _pool.pop()
    except IndexError:
        drawn = os.urandom(10 * POOL)
        _pool.extend(int.from_bytes(drawn[start : start + 10]) for start in range(10, len(drawn), 10))
        return int.from_bytes(drawn[:10])
