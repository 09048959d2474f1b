"""The database's clock, set by a test."""

from collections.abc import Callable
from datetime import datetime

import pytest

from billing import rows


def set_clock(patch: pytest.MonkeyPatch, read: Callable[[], datetime]) -> None:
    """Let the database tell the time that ``read`` tells."""
    run_guarded = rows.run_guarded
    patch.setattr(rows, "read_clock", read)
    patch.setattr(rows, "run_guarded", lambda statements: (run_guarded(statements)[0], read()))
