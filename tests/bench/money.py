"""The money by itself: what a hold and a settle cost, whom a lock or a night's work stops, and random steps."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.arguments import positive, seconds
from tests.bench.machine import run_python
from tests.bench.report import Report, Row, say
from tests.postgresql import PostgreSQL

HELP = "holds and settles a second, their ms, WAL syncs, delays beside a lock and in the night; random steps"
ROOT = Path(__file__).resolve().parents[2]
MACHINE = "tests/billing/test_machine.py"
TOLD = "steps: "
DATABASES = {"smartoken-sqlite": "sqlite", "smartoken-postgresql": "postgresql"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=positive, default=5000, metavar="N", help="steps on each database (5000)")
    parser.add_argument("--seconds", type=seconds, default=5.0, metavar="S", help="length of one measurement (5)")
    records = "records that the night's work reads (1000000)"
    parser.add_argument("--records", type=positive, default=1_000_000, metavar="N", help=records)


def measure(arguments: argparse.Namespace) -> Report:
    """Measure and drive the money on each database. Raises RuntimeError with what it found where it was wrong."""
    rows = []
    for system, database in DATABASES.items():
        say(f"measuring the ledger on {system}, beside {arguments.records} records")
        figures = _measure(database, arguments.seconds, arguments.records)
        rows.append({"system": system, **figures, **_drive(system, database, arguments.steps)})
    return Report("money", 1, rows, load="64 clients, one where ms are told")


def _measure(database: str, seconds: float, records: int) -> Row:
    with _database(database) as environment:
        run_python("manage.py", "migrate", "--verbosity", "0", environment=environment)
        told = run_python("-m", "tests.bench.ledger", str(seconds), str(records), environment=environment)
        found: Row = json.loads(told.splitlines()[-1])
        return found


@contextmanager
def _database(name: str) -> Iterator[dict[str, str]]:
    """Give the environment of a new site; its PostgreSQL writes to the disk as it comes."""
    with tempfile.TemporaryDirectory(prefix="smartoken-bench-") as data:
        environment = {"SMARTOKEN_DATA": data, "DATABASE_URL": "", "REDIS_URL": ""}
        if name == "sqlite":
            yield environment
            return
        server = PostgreSQL()
        try:
            server.start()
            yield {**environment, "DATABASE_URL": server.address}
        finally:
            server.close()


def _drive(system: str, database: str, steps: int) -> Row:
    say(f"{steps} steps on {system}")
    began = time.monotonic()
    environment = {"SMARTOKEN_TEST_DATABASE": database, "SMARTOKEN_MACHINE_STEPS": str(steps)}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-s", MACHINE],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    words = []
    for line in process.stdout:
        if line.startswith(TOLD):
            say(f"{line.removeprefix(TOLD).strip()} of {steps} steps on {system}")
        else:
            words.append(line)
    if process.wait():
        raise RuntimeError(f"the money went wrong on {system}:\n{''.join(words)[-5000:]}")
    return {"steps": steps, "steps_per_s": steps / (time.monotonic() - began), "differences": 0}
