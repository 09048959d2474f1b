"""Our own site on PostgreSQL with a history, and how long its pages take."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from processes import ROOT

from tests.bench.machine import cpu_seconds, find_tree, free_port, load_core, pin, run_python
from tests.bench.ours import make_environment, serving, set_up
from tests.bench.report import Row
from tests.bench.system import System, bearer
from tests.postgresql import PostgreSQL

SETTINGS = {"max_connections": "100", "max_wal_size": "8GB"}
"""Room for the log while millions of records are written; fsync stays on."""
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Site:
    system: System
    environment: dict[str, str]

    def work(self, name: str, *numbers: int, **environment: str) -> dict[str, Any]:
        """Do a part of ``books`` and return what it tells; its progress goes on to ours. Raises RuntimeError."""
        command = [sys.executable, "-m", "tests.bench.books", name, *map(str, numbers)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), **self.environment, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the books' {name} went wrong")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def time_pages(self, addresses: Sequence[str], cookie: str, *, runs: int) -> list[Row]:
        """Return a row for each address, medians of so many readings after a first one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.system.port, timeout=PATIENCE_SECONDS)
        readings = {
            address: [self._read(connection, address, cookie) for _ in range(runs + 1)][1:] for address in addresses
        }
        connection.close()
        return [_summarize(address, rows) for address, rows in readings.items()]

    def _read(self, connection: http.client.HTTPConnection, address: str, cookie: str) -> Row:
        used, began = self._cpu(), time.perf_counter()
        connection.request("GET", address, headers={"cookie": cookie})
        response = connection.getresponse()
        body = response.read()
        took = (time.perf_counter() - began) * 1000
        own, database = (later - earlier for later, earlier in zip(self._cpu(), used, strict=True))
        return {"status": response.status, "ms": took, "cpu": own, "database": database, "kb": len(body) / 1000}

    def _cpu(self) -> tuple[float, float]:
        return cpu_seconds(self.system.pid), cpu_seconds(self.system.database_pid or 0)


def _summarize(address: str, rows: list[Row]) -> Row:
    times = sorted(row["ms"] for row in rows)
    return {
        "page": address,
        "status": rows[0]["status"],
        "p50_ms": median(times),
        "longest_ms": times[-1],
        # The kernel counts CPU in hundredths of a second: only the sum of many readings tells.
        "cpu_ms": sum(row["cpu"] for row in rows) / len(rows) * 1000,
        "database_cpu_ms": sum(row["database"] for row in rows) / len(rows) * 1000,
        "kb": rows[0]["kb"],
    }


@contextmanager
def running_site(folder: Path, upstream: int) -> Iterator[Site]:
    """Run our own on a new PostgreSQL, server on the gateway's core and database on the other."""
    database, port = PostgreSQL(SETTINGS), free_port()
    try:
        database.start()
        for one in find_tree(database.pid):
            pin(one, load_core())
        environment = make_environment(folder / "site", port, database.address)
        (folder / "site").mkdir()
        secret = set_up(environment, upstream)
        run_python("manage.py", "collectstatic", "--no-input", "--verbosity", "0", environment=environment)
        with serving(environment, port, folder / "site.log") as pid:
            yield Site(System("smartoken-postgresql", port, pid, bearer(secret), database.pid), environment)
    finally:
        database.close()
