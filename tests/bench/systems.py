"""The systems that are measured: how each is set up, started and asked."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
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
from tests.postgresql import PostgreSQL

EMAIL = "bench@example.com"
FAMILY = "deepseek"
LISTEN = GATEWAY.partition(" ")[2].partition(" ")[2]
"""The options of our server, without its application."""

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-errors.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 256; }}
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 10000000;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class System:
    """One that runs: where it listens, the head of its tree, what its clients send; the database beside it."""

    name: str
    port: int
    pid: int
    headers: dict[str, str] = field(default_factory=dict)
    database_pid: int | None = None


@contextmanager
def upstream(folder: Path, *, events: int = 500) -> Iterator[int]:
    """Run the bench's upstream; give its port."""
    port = free_port()
    log = folder / "upstream.log"
    command = [sys.executable, "-m", "tests.bench.upstream", str(port), str(events)]
    with running(command, core=load_core(), log=log) as process:
        wait_until_ready(f"http://127.0.0.1:{port}/", process, log)
        yield port


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
        yield System("smartoken-sqlite", port, pid, _bearer(secret))


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
            yield System(name, port, head, _bearer(secret), pid)
    finally:
        database.close()


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[System]:
    """Run nginx: it only passes on, the limit of what can be reached."""
    port, log, config = free_port(), folder / "nginx.log", folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    command = ["nginx", "-c", config, "-p", folder]
    with running(command, core=gateway_core(), log=log) as process:
        wait_until_ready(f"http://127.0.0.1:{port}/", process, log)
        yield System("nginx", port, process.pid)


def _bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def _server(application: str, port: int) -> list[str]:
    options = f"{LISTEN} {GATEWAY_QUIET} --host 127.0.0.1 --port {port}".split()
    return [sys.executable, "-m", "uvicorn", application, *options]


@contextmanager
def _smartoken(name: str, folder: Path, upstream: int, database: str) -> Iterator[tuple[int, int, str]]:
    """Run the gateway on a new data folder; give its port, its pid and a key's secret."""
    data, port, log = folder / name, free_port(), folder / f"{name}.log"
    environment = {
        "SMARTOKEN_DATA": str(data),
        "SMARTOKEN_URL": f"http://127.0.0.1:{port}",
        "SMARTOKEN_DEMO": "0",
        "SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS": "1",
        "DATABASE_URL": database,
        "REDIS_URL": "",
    }
    data.mkdir()
    secret = set_up(environment, upstream)
    command = _server("smartoken.asgi:application", port)
    with running(command, core=gateway_core(), log=log, environment=environment) as process:
        wait_until_ready(f"http://127.0.0.1:{port}/health/ready", process, log)
        yield port, process.pid, secret


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


SYSTEMS: dict[str, Callable[[Path, int], AbstractContextManager[System]]] = {
    "floor": floor,
    "smartoken-sqlite": sqlite,
    "smartoken-postgresql": postgresql,
    "nginx": nginx,
}
PEERS = ("litellm", "portkey")
"""Named, and left out until the bench can set them up."""
NAMES = (*SYSTEMS, *PEERS)


def find_missing(name: str) -> str:
    """Return why a system can't be measured here, '' if it can."""
    if name in PEERS:
        return "the bench can't set it up yet"
    if name == "nginx" and not shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return "not installed"
    return ""
