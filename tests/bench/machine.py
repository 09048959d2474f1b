"""Cores and processes: who runs where, and what a tree of processes has used."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from processes import ROOT, bind_to_parent

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 90
STOP_SECONDS = 20


def gateway_core() -> int:
    return max(os.sched_getaffinity(0))


def load_core() -> int:
    """Return the core of upstream and load: another one, where there are two."""
    return min(os.sched_getaffinity(0))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pin(pid: int, core: int) -> None:
    """Pin every thread of a process; children that it starts later inherit it."""
    with contextlib.suppress(FileNotFoundError):  # a child that has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {core})


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], *, core: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command pinned to a core while the block runs; it dies with this process."""
    bound = bind_to_parent()
    bind = bound.pop("preexec_fn")

    def prepare() -> None:
        bind()
        os.sched_setaffinity(0, {core})

    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=prepare,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something answers there. Raises RuntimeError with the end of its log."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            opener.open(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    words = log.read_text(errors="replace").strip().splitlines()
    raise RuntimeError(f"{log.stem} did not start: {words[-1][:300] if words else 'it said nothing'}")


def run_python(*words: str, environment: Mapping[str, str]) -> str:
    """Run Python to its end; return what it printed. Raises RuntimeError with its last line."""
    command = [sys.executable, *words]
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
        raise RuntimeError(f"{' '.join(words[:2])}: {lines[-1]}")
    return result.stdout


# --- what a tree has used ------------------------------------------------------


def find_tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a tree, with those of children that have ended."""
    return sum(_ticks(one) for one in find_tree(pid)) / TICKS


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime


def resident_mb(pid: int) -> float:
    """Return the resident memory of a tree in MB."""
    total = 0
    for one in find_tree(pid):
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6
