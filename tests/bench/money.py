"""Drives the money by random steps on both databases: as many as one has patience for."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.arguments import positive
from tests.bench.report import Report, Row, say

HELP = "grants, holds, settles, crashes, lost commits and clock jumps in random order; the books after every step"
ROOT = Path(__file__).resolve().parents[2]
MACHINE = "tests/billing/test_machine.py"
DATABASES = {"smartoken-sqlite": "sqlite", "smartoken-postgresql": "postgresql"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=positive, default=5000, metavar="N", help="steps on each database (5000)")


def measure(arguments: argparse.Namespace) -> Report:
    """Run the machine on each database. Raises RuntimeError with what it found where the money was wrong."""
    rows = [_drive(system, database, arguments.steps) for system, database in DATABASES.items()]
    return Report("money", 1, rows, load="random steps")


def _drive(system: str, database: str, steps: int) -> Row:
    say(f"{steps} steps on {system}")
    environment = {"SMARTOKEN_TEST_DATABASE": database, "SMARTOKEN_MACHINE_STEPS": str(steps)}
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", MACHINE],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if result.returncode:
        raise RuntimeError(f"the money went wrong on {system}:\n{result.stdout[-4000:]}{result.stderr[-1000:]}")
    return {"system": system, "steps": steps, "seconds": seconds, "steps_per_s": steps / seconds, "differences": 0}
