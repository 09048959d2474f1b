"""What every measured system is, and the upstream that all of them pass requests to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.machine import free_port, load_core, running, wait_until_ready


@dataclass(frozen=True)
class System:
    """One that runs: where it listens, the head of its tree, what its clients send; the database beside it."""

    name: str
    port: int
    pid: int
    headers: dict[str, str] = field(default_factory=dict)
    database_pid: int | None = None


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@contextmanager
def upstream(folder: Path, *, events: int = 500) -> Iterator[System]:
    """Run the bench's upstream; a measured system itself, for what is added to it."""
    port = free_port()
    log = folder / "upstream.log"
    command = [sys.executable, "-m", "tests.bench.upstream", str(port), str(events)]
    with running(command, core=load_core(), log=log) as process:
        wait_until_ready(f"http://127.0.0.1:{port}/", process, log)
        yield System("direct", port, process.pid)
