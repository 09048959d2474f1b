"""Ids of requests: UUIDs of version 7, which sort by the time they were made (RFC 9562)."""

import os
import time
from uuid import UUID


def make_request_id() -> UUID:
    """Return a new id: 48 bits of milliseconds, 74 of randomness."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds & (2**48 - 1)) << 80 | 7 << 76 | (random >> 68 & 0xFFF) << 64 | 2 << 62 | random & (2**62 - 1)
    return UUID(int=value)
