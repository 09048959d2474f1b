"""The database's clock, set by a test."""

from collections.abc import Callable
from datetime import datetime

import pytest

from billing import rows


def set_clock(patch: pytest.MonkeyPatch, read: Callable[[], datetime]) -> None:
    """Let the database tell the time that ``read`` tells."""
    lock = rows.Batch.lock
    patch.setattr(rows, "read_clock", read)
    patch.setattr(rows.Batch, "lock", lambda batch, queries: (lock(batch, queries)[0], read()))
