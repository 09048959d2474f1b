"""Processes that end together. Standard library only.

Children live in sessions of their own, so that a terminal's Ctrl-C reaches the head alone,
and are killed by the kernel when the head dies in any way (on Linux).
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
PR_SET_PDEATHSIG = 1

Command = list[str | Path]


def bind_to_parent() -> dict[str, Any]:
    """Return Popen's options that make a child die with this process; only safe while it has one thread."""
    if sys.platform != "linux":
        return {}
    head, libc = os.getpid(), ctypes.CDLL(None)

    def bind() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != head:
            os._exit(1)

    return {"preexec_fn": bind}


def run(command: Command) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return what it printed; it dies with this process."""
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **bind_to_parent()
    )


class Tree:
    """The children of this process, and how they end together."""

    def __init__(self) -> None:
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.signals = 0
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays in force
                signal.signal(number, self._note_signal)

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1

    @property
    def is_stopping(self) -> bool:
        return self.signals > 0

    def start(self, name: str, *module: str) -> None:
        """Start a Python module as a child."""
        self.children[name] = subprocess.Popen(
            [PYTHON, "-m", *module], cwd=ROOT, start_new_session=True, stdin=subprocess.DEVNULL, **bind_to_parent()
        )

    def find_dead(self) -> str:
        """Return the name of a child that has ended, '' while all run."""
        return next((name for name, child in self.children.items() if child.poll() is not None), "")

    def watch(self) -> str:
        """Wait for a signal or the end of a child; return the name of a child that ended by itself."""
        while not self.is_stopping:
            if dead := self.find_dead():
                return dead
            time.sleep(0.1)
        return ""

    def stop(self, patience: float) -> None:
        """Ask every child to end; after ``patience`` seconds, or at a second signal, kill what is left."""
        before, deadline = self.signals, time.monotonic() + patience
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        while self._is_any_alive() and time.monotonic() < deadline and self.signals <= max(before, 1):
            time.sleep(0.05)
        for child in self.children.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def _is_any_alive(self) -> bool:
        return any(child.poll() is None for child in self.children.values())
