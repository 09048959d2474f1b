"""Prepares the data folder, then runs the gateway and the worker as one tree of processes.

Standard library only. It is the head of the tree: it ends when a child does, and no child outlives it.
"""

import argparse
import fcntl
import os
import re
import shlex
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

from processes import PYTHON, ROOT, Tree, run

READY_SECONDS = 60
DEMO_EMAIL = "demo@example.com"
EXCEPTION = re.compile(r"^[A-Za-z_]+(\.[A-Za-z_]+)*\.[A-Za-z]*(Error|Configured): ")
TRUE = ("1", "true", "on", "yes", "y", "ok", "t")
GATEWAY = "uvicorn smartoken.asgi:application --loop uvloop --http httptools --ws none --timeout-keep-alive 75"
GATEWAY_QUIET = "--log-level warning --no-access-log --no-server-header --no-proxy-headers"
WORKER = "celery --quiet --app smartoken worker --pool threads --concurrency 4 --beat --loglevel warning"
WORKER_QUIET = "--without-gossip --without-mingle --without-heartbeat"


def port_number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: write a number from 1 to 65535")
    return int(text)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run", description="Start SmarToken.", allow_abbrev=False)
    parser.add_argument("--port", type=port_number, default=8000)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--data", default=os.environ.get("SMARTOKEN_DATA") or "var", help="folder of all state")
    parser.add_argument("--no-demo", action="store_true", help="no demo provider, no demo key")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def say(text: str) -> None:
    print(text, flush=True)


def complain(text: str) -> None:
    print(f"scripts/run: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    complain(text)
    sys.exit(1)


# --- before the start --------------------------------------------------------


def lock_data(data: Path) -> None:
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


def check_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        fail(f"can't listen on {host}:{port} ({error.strerror}); choose another with --port")


def note_address(data: Path, *, is_own_url: bool) -> None:
    """Leave the address in the data folder, for the commands that make links; a set one speaks for itself."""
    note = data / "url"
    note.unlink(missing_ok=True)
    if is_own_url:
        note.write_text(os.environ["SMARTOKEN_URL"])


def read_cause(text: str) -> str:
    """Return, in one line, the message of the exception that a traceback ends with."""
    lines = text.strip().splitlines() or ["no message"]
    start = max((n for n, line in enumerate(lines) if EXCEPTION.match(line)), default=len(lines) - 1)
    return EXCEPTION.sub("", " ".join(" ".join(lines[start:]).split()))


def manage(*arguments: str) -> str:
    """Run a command of manage.py; return what it printed. Where it fails, say so and stop."""
    result = run([PYTHON, ROOT / "manage.py", *arguments])
    if result.returncode:
        name = f"manage.py {arguments[0]}: "  # the site's own commands begin with it
        fail(name + read_cause(result.stderr or result.stdout).removeprefix(name))
    return result.stdout


def prepare() -> None:
    """Bring the data folder up to date."""
    say("preparing the database")
    manage("migrate", "--verbosity", "0")
    say("loading the catalogue")
    manage("loadcatalog")
    say("collecting static files")
    manage("collectstatic", "--noinput", "--verbosity", "0")


def greet(data: Path, *, is_demo: bool) -> None:
    """Print what a first start needs, once for each data folder."""
    stamp = data / "greeted"
    if stamp.exists():
        say(f"data in {data}; a new administrator's link: {manage_line('adminlink')}")
        return
    say(f"\nMake yourself administrator (one-time link, valid for a day):\n  {manage('adminlink').split()[-1]}")
    if is_demo:
        secret = manage("createkey", "--email", DEMO_EMAIL, "--name", "demo").split()[-1]
        manage("grantcredit", "--email", DEMO_EMAIL, "--usd", "1", "--reason", "demo")
        say(f"\nA demo key with $1, shown once:\n  {secret}\nTry it:\n  {curl_line(secret)}\n")
    stamp.touch()


def manage_line(command: str) -> str:
    """Return a command line that works in the project's folder."""
    settings = [f"{name}={shlex.quote(os.environ[name])}" for name in ("SMARTOKEN_DATA", "SMARTOKEN_URL")]
    return " ".join([*settings, ".venv/bin/python manage.py", command])


def curl_line(secret: str) -> str:
    body = '{"model": "deepseek", "stream": true, "messages": [{"role": "user", "content": "Say hello"}]}'
    return (
        f'curl -N {os.environ["SMARTOKEN_URL"]}/v1/chat/completions -H "Authorization: Bearer {secret}" '
        f"-H \"Content-Type: application/json\" -d '{body}'"
    )


# --- the tree ----------------------------------------------------------------


def wait_until_ready(tree: Tree, address: str) -> bool:
    """Wait until the gateway takes requests; False when a signal or a child's end came first."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_SECONDS
    while not tree.is_stopping and not tree.find_dead():
        try:
            opener.open(f"{address}/health/ready", timeout=2).close()
            return True
        except OSError:
            if time.monotonic() > deadline:
                complain(f"the gateway did not get ready within {READY_SECONDS} s")
                return False
            time.sleep(0.1)
    return False


def serve(tree: Tree, host: str, port: int) -> int:
    """Run the tree until a signal or the end of a child; return the exit code."""
    tree.start("gateway", *f"{GATEWAY} {GATEWAY_QUIET}".split(), "--host", host, "--port", str(port))
    tree.start("worker", *f"{WORKER} {WORKER_QUIET}".split())
    reached = host if host not in ("0.0.0.0", "::") else "127.0.0.1"
    is_ready = wait_until_ready(tree, f"http://{f'[{reached}]' if ':' in reached else reached}:{port}")
    if is_ready:
        say(f"ready http://127.0.0.1:{port}")
    died = tree.watch() if is_ready else tree.find_dead()
    if died:
        complain(f"the {died} ended unexpectedly; stopping")
    is_wanted = tree.is_stopping and not died
    tree.stop(float(os.environ.get("SMARTOKEN_DRAIN_SECONDS") or 30) + 10)
    return 0 if is_wanted else 1


def main() -> int:
    arguments = parse_arguments()
    if arguments.check:
        return 0
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the tree stands: Ctrl-C ends without a traceback
    os.umask(0o077)  # everything in the data folder is its owner's alone
    data = Path(arguments.data).expanduser().resolve()
    os.environ["SMARTOKEN_DATA"] = str(data)
    is_own_url = "SMARTOKEN_URL" not in os.environ
    os.environ.setdefault("SMARTOKEN_URL", f"http://127.0.0.1:{arguments.port}")
    if arguments.no_demo:
        os.environ["SMARTOKEN_DEMO"] = "0"
    wanted = os.environ.get("SMARTOKEN_DEMO") or str(not os.environ.get("DATABASE_URL"))
    lock_data(data)
    check_port(arguments.host, arguments.port)
    note_address(data, is_own_url=is_own_url)
    prepare()
    greet(data, is_demo=wanted.lower() in TRUE)
    return serve(Tree(), arguments.host, arguments.port)


if __name__ == "__main__":
    sys.exit(main())
