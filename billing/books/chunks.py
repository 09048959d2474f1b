"""Many rows written little by little, so that nobody waits long for the database's lock."""

import itertools
import time
from collections.abc import Callable, Iterable

CHUNK = 200
LEAST_PAUSE_SECONDS = 0.005


def write_in_chunks[Row](items: Iterable[Row], write: Callable[[list[Row]], object]) -> int:
    """Call ``write`` with at most 200 items at a time, each time a transaction of its own; return how many.

    SQLite's one writer is whoever asks at the right moment: between two chunks lies as
    long a pause as the chunk took, so that a gateway's turn comes soon.
    """
    rest, written = iter(items), 0
    while chunk := list(itertools.islice(rest, CHUNK)):
        began = time.monotonic()
        write(chunk)
        written += len(chunk)
        time.sleep(max(LEAST_PAUSE_SECONDS, time.monotonic() - began))
    return written
