"""Prepares the data folder, then runs the gateway and the worker as one tree of processes.

Standard library only. The children live in sessions of their own, so that a Ctrl-C
reaches this process alone, and get TERM from the kernel when it dies in any way.
"""

import argparse
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
PR_SET_PDEATHSIG = 1
READY_SECONDS = 60
DEMO_EMAIL = "demo@example.com"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run", description="Start SmarToken.")
    parser.add_argument("--port", type=port_number, default=8000)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--data", default=os.environ.get("SMARTOKEN_DATA") or "var", help="folder of all state")
    parser.add_argument("--no-demo", action="store_true", help="no demo provider, no demo key")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def port_number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: write a number from 1 to 65535")
    return int(text)


def say(text: str) -> None:
    print(text, flush=True)


def fail(text: str) -> NoReturn:
    print(f"scripts/run: {text}", file=sys.stderr, flush=True)
    sys.exit(1)


def lock_data(data: Path) -> int:
    """Take the data folder for this tree; the lock goes with the process, however it ends."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        fail(f"can't write to {data}: {error.strerror}")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fail(f"SmarToken runs on {data} already (process {os.read(lock, 20).decode().strip()}); stop that one first")
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            fail(f"can't listen on {host}:{port} ({error.strerror}); choose another with --port")


def manage(*arguments: str) -> str:
    """Run a command of manage.py; return what it printed. Where it fails, say so and stop."""
    result = subprocess.run(
        [PYTHON, ROOT / "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        fail(f"manage.py {arguments[0]} failed: {lines[-1] if lines else 'no message'}")
    return result.stdout


def prepare(data: Path) -> None:
    """Bring the data folder up to date."""
    say("preparing the database")
    manage("migrate", "--verbosity", "0")
    for line in manage("loadcatalog").splitlines()[-1:]:
        say(f"catalogue: {line}")
    manage("collectstatic", "--noinput", "--verbosity", "0")
    for folder in ("celery", "celery-control"):
        (data / folder).mkdir(exist_ok=True)


def greet(data: Path, address: str, is_demo: bool) -> None:
    """Print what a first start needs, once for each data folder."""
    stamp = data / "greeted"
    if stamp.exists():
        say(f"data in {data}; `manage.py adminlink` makes a new administrator's link")
        return
    say(f"\nMake yourself administrator, once:\n  {manage('adminlink').strip().splitlines()[-1]}")
    if is_demo:
        secret = manage("createkey", "--email", DEMO_EMAIL, "--name", "demo").strip().splitlines()[-1]
        manage("grantcredit", "--email", DEMO_EMAIL, "--usd", "1", "--reason", "demo")
        say(f"\nA demo key with $1, shown once:\n  {secret}\nTry it:\n  {curl_line(address, secret)}\n")
    stamp.touch()


def curl_line(address: str, secret: str) -> str:
    body = '{"model": "deepseek", "stream": true, "messages": [{"role": "user", "content": "Say hello"}]}'
    return (
        f'curl -N {address}/v1/chat/completions -H "Authorization: Bearer {secret}" '
        f"-H \"Content-Type: application/json\" -d '{body}'"
    )


def bind_to_parent(parent: int) -> None:
    """Ask the kernel to end this child with its parent; runs in the child, before exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def start(*command: str | Path) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    on_linux = sys.platform == "linux"
    return subprocess.Popen(
        [PYTHON, "-m", *command],
        cwd=ROOT,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=(lambda: bind_to_parent(parent)) if on_linux else None,
    )


def start_gateway(host: str, port: int) -> subprocess.Popen[bytes]:
    options = ["--log-level", "warning", "--no-access-log", "--no-server-header", "--no-proxy-headers", "--ws", "none"]
    return start("uvicorn", "smartoken.asgi:application", "--host", host, "--port", str(port), *options)


def start_worker() -> subprocess.Popen[bytes]:
    options = ["--pool", "threads", "--concurrency", "4", "--beat", "--loglevel", "warning"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return start("celery", "--quiet", "--app", "smartoken", "worker", *options, *quiet)


class Tree:
    """The children, and how they end together."""

    def __init__(self) -> None:
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.is_stopping = False

    def note_signal(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True

    def dead(self) -> str:
        """Return the name of a child that has ended, '' while all run."""
        return next((name for name, child in self.children.items() if child.poll() is not None), "")

    def wait_until_ready(self, address: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_stopping and not self.dead():
            try:
                with urllib.request.urlopen(f"{address}/health/ready", timeout=2):
                    say(f"ready {address}")
                    return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    fail(f"the gateway did not get ready within {READY_SECONDS} s")
                time.sleep(0.1)

    def watch(self) -> int:
        """Wait until a signal comes or a child ends; end the others; return the exit code."""
        while not self.is_stopping and not self.dead():
            time.sleep(0.2)
        died = "" if self.is_stopping else self.dead()
        if died:
            print(f"scripts/run: the {died} ended unexpectedly; stopping", file=sys.stderr, flush=True)
        self.stop()
        return 1 if died else 0

    def stop(self) -> None:
        patience = float(os.environ.get("SMARTOKEN_DRAIN_SECONDS") or 30) + 15
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + patience
        for child in self.children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def main() -> None:
    arguments = parse_arguments()
    if arguments.check:
        return
    data = Path(arguments.data).expanduser().resolve()
    address = f"http://127.0.0.1:{arguments.port}"
    os.environ["SMARTOKEN_DATA"] = str(data)
    os.environ.setdefault("SMARTOKEN_URL", address)
    if arguments.no_demo:
        os.environ["SMARTOKEN_DEMO"] = "0"
    is_demo = not arguments.no_demo and not os.environ.get("DATABASE_URL")
    tree = Tree()
    signal.signal(signal.SIGTERM, tree.note_signal)
    signal.signal(signal.SIGINT, tree.note_signal)
    lock_data(data)
    check_port(arguments.host, arguments.port)
    prepare(data)
    greet(data, os.environ["SMARTOKEN_URL"], is_demo)
    if tree.is_stopping:
        return
    tree.children["gateway"] = start_gateway(arguments.host, arguments.port)
    tree.children["worker"] = start_worker()
    try:
        tree.wait_until_ready(address)
    except SystemExit:
        tree.stop()
        raise
    sys.exit(tree.watch())


if __name__ == "__main__":
    main()
