"""The systems of our own: the gateway on both databases, and the floor."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from supervisor import GATEWAY, GATEWAY_QUIET

from tests.bench.machine import (
    find_tree,
    free_port,
    gateway_core,
    load_core,
    pin,
    run_python,
    running,
    wait_until_ready,
)
from tests.bench.system import System, bearer
from tests.postgresql import PostgreSQL

EMAIL = "bench@example.com"
FAMILY = "deepseek"
LISTEN = GATEWAY.partition(" ")[2].partition(" ")[2]
"""The options of our server, without its application."""


@contextmanager
def floor(folder: Path, upstream: int) -> Iterator[System]:
    port, log = free_port(), folder / "floor.log"
    command = _server("tests.bench.forward:application", port)
    environment = {"UPSTREAM": f"http://127.0.0.1:{upstream}/v1/chat/completions"}
    with running(command, core=gateway_core(), log=log, environment=environment) as process:
        wait_until_ready(f"http://127.0.0.1:{port}/", process, log)
        yield System("floor", port, process.pid)


@contextmanager
def sqlite(folder: Path, upstream: int) -> Iterator[System]:
    with _smartoken("smartoken-sqlite", folder, upstream, "") as (port, pid, secret):
        yield System("smartoken-sqlite", port, pid, bearer(secret))


@contextmanager
def postgresql(folder: Path, upstream: int) -> Iterator[System]:
    """Run ours on a PostgreSQL of its own with fsync on, as it comes, on the other core."""
    name, database = "smartoken-postgresql", PostgreSQL({"max_connections": "100"})
    try:
        database.start()
        pid = database.pid
        for one in find_tree(pid):
            pin(one, load_core())
        with _smartoken(name, folder, upstream, database.address) as (port, head, secret):
            yield System(name, port, head, bearer(secret), pid)
    finally:
        database.close()


def _server(application: str, port: int) -> list[str]:
    options = f"{LISTEN} {GATEWAY_QUIET} --host 127.0.0.1 --port {port}".split()
    return [sys.executable, "-m", "uvicorn", application, *options]


@contextmanager
def _smartoken(name: str, folder: Path, upstream: int, database: str) -> Iterator[tuple[int, int, str]]:
    """Run the gateway on a new data folder; give its port, its pid and a key's secret."""
    data, port, log = folder / name, free_port(), folder / f"{name}.log"
    environment = make_environment(data, port, database)
    data.mkdir()
    secret = set_up(environment, upstream)
    with serving(environment, port, log) as pid:
        yield port, pid, secret


def make_environment(data: Path, port: int, database: str) -> dict[str, str]:
    return {
        "SMARTOKEN_DATA": str(data),
        "SMARTOKEN_URL": f"http://127.0.0.1:{port}",
        "SMARTOKEN_DEMO": "0",
        "SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS": "1",
        "DATABASE_URL": database,
        "REDIS_URL": "",
    }


@contextmanager
def serving(environment: dict[str, str], port: int, log: Path) -> Iterator[int]:
    """Run our server on the gateway's core; give its pid."""
    command = _server("smartoken.asgi:application", port)
    with running(command, core=gateway_core(), log=log, environment=environment) as process:
        wait_until_ready(f"http://127.0.0.1:{port}/health/ready", process, log)
        yield process.pid


def set_up(environment: dict[str, str], upstream: int) -> str:
    """Make a database, an upstream, a key with both budgets and its credit by the operator's commands."""

    def manage(*words: str) -> str:
        return run_python("manage.py", *words, environment=environment)

    manage("migrate", "--verbosity", "0")
    manage("loadcatalog")
    address = f"http://127.0.0.1:{upstream}/v1"
    manage("addupstream", "--family", FAMILY, "--base-url", address, "--model", "bench", "--provider", "bench")
    key = manage("createkey", "--email", EMAIL, "--name", "bench", "--daily", "100000", "--monthly", "100000")
    manage("grantcredit", "--email", EMAIL, "--usd", "100000", "--reason", "bench")
    return key.split()[-1]
