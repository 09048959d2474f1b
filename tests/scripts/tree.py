"""A real start of scripts/run, and how to find the processes it left."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 120
OURS = re.compile(r"SMARTOKEN|DATABASE_URL|REDIS_URL|SIGNUP|PYTEST|DJANGO|SECRET_KEY")


def plain_environment() -> dict[str, str]:
    """Return what a newcomer's shell has: none of our settings."""
    return {name: value for name, value in os.environ.items() if not OURS.match(name)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_and_wait(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Call scripts/run where it must end by itself."""
    command = [str(ROOT / "scripts" / "run"), *arguments]
    return subprocess.run(command, env=plain_environment(), capture_output=True, text=True, timeout=60, check=False)


class Tree:
    """scripts/run with a data folder; what it prints is in ``output`` from the moment it is ready."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.data = data
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = data.with_suffix(".log")
        command = [str(ROOT / "scripts" / "run"), "--port", str(self.port), "--data", str(data), *arguments]
        with self.log.open("w") as log:
            self.head = subprocess.Popen(
                command, env=plain_environment(), stdout=log, stderr=log, cwd="/", start_new_session=True
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_until_ready(self) -> "Tree":
        deadline = time.monotonic() + START_SECONDS
        while f"\nready {self.address}\n" not in self.output:
            assert self.head.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        return self

    def processes(self) -> dict[int, str]:
        """Return pid and command line of every process that works on this data folder."""
        mark, found = f"SMARTOKEN_DATA={self.data}".encode(), {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue  # it ended, or is another's
        return found

    def wait_until_gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while left := self.processes():
            assert time.monotonic() < deadline, left
            time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the head a signal; return its exit code."""
        self.head.send_signal(number)
        return self.head.wait(60)
