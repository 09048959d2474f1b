"""A site of processes of their own, set up and looked at by the operator's commands alone."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from tests.gateway.callers import eventually
from tests.services import free_port

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ["--log-level", "warning", "--no-access-log", "--no-server-header", "--no-proxy-headers", "--ws", "none"]


RUNNER = """
import io, json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "smartoken.settings"
import django
django.setup()
from django.core.management import call_command
printed = []
for name, *options in json.load(sys.stdin):
    out = io.StringIO()
    try:
        call_command(name, *options, stdout=out)
    except SystemExit:
        pass
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


class Site:
    """A data folder with its database: SQLite, or one of the run's PostgreSQL."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "SMARTOKEN_DATA": str(folder),
            "SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS": "1",
            "DATABASE_URL": _make_database() if os.environ.get("DATABASE_URL") else "",
            "REDIS_URL": "",
            **environment,
        }
        self.processes: list[Process] = []
        self.run(["migrate", "--verbosity", "0"], ["loadcatalog"])

    @property
    def is_postgresql(self) -> bool:
        return bool(self.environment["DATABASE_URL"])

    def run(self, *commands: Sequence[str]) -> list[str]:
        """Run commands of manage.py in one process; return what each printed."""
        result = subprocess.run(
            [sys.executable, "-c", RUNNER],
            cwd=ROOT,
            env=self.environment,
            input=json.dumps(commands),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        printed: list[str] = json.loads(result.stdout)
        return printed

    def create_keys(self, wanted: Mapping[str, tuple[float, Sequence[str]]]) -> dict[str, str]:
        """Make a key for each address, with so many dollars and these options; return the secrets."""
        created = self.run(*[["createkey", "--email", email, *options] for email, (_, options) in wanted.items()])
        self.run(*[["grantcredit", "--email", email, "--usd", str(usd)] for email, (usd, _) in wanted.items()])
        return {email: text.strip().splitlines()[-1] for email, text in zip(wanted, created, strict=True)}

    def check(self) -> dict[str, Any]:
        """Return what checkledger says."""
        found: dict[str, Any] = json.loads(self.run(["checkledger"])[0])
        return found

    def usage(self, *emails: str) -> list[list[dict[str, Any]]]:
        """Return the usage records of each of these organizations."""
        return [json.loads(text) for text in self.run(*[["usage", "--email", email, "--json"] for email in emails])]

    def start(self) -> "Process":
        """Start a gateway process; return when it is ready."""
        process = Process(self)
        self.processes.append(process)
        process.wait_until_ready()
        return process

    def close(self) -> None:
        for process in self.processes:
            process.end(signal.SIGKILL)


class Process:
    """One gateway process, as scripts/run starts it."""

    def __init__(self, site: Site) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (site.folder / f"gateway-{self.port}.log").open("wb")
        command = [sys.executable, "-m", "uvicorn", "smartoken.asgi:application", "--port", str(self.port), *OPTIONS]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=site.environment, stdout=self._log, stderr=subprocess.STDOUT
        )

    def wait_until_ready(self) -> None:
        eventually(self._is_ready, 60)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def send(self, number: signal.Signals) -> float:
        """Send a signal; return when."""
        self._process.send_signal(number)
        return time.monotonic()

    def wait(self, seconds: float = 60) -> int:
        """Return the exit code, once it has ended."""
        code = self._process.wait(seconds)
        self._log.close()
        return code

    def end(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self.send(number)
        self.wait()


def _make_database() -> str:
    """Make an empty database beside the run's own; return its address."""
    name = f"site_{uuid.uuid4().hex}"
    place = settings.DATABASES["default"]
    where = {"host": place["HOST"], "port": place["PORT"], "user": place["USER"], "password": place["PASSWORD"]}
    with psycopg.connect(dbname="postgres", autocommit=True, **where) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"
