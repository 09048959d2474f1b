"""Runs the checks and the tests: `scripts/test` the fast ones, `scripts/test --all` everything.

The whole suite runs on SQLite; the books' tests run again on PostgreSQL, with --all all that touch the database.
With CI=true a test that a missing tool would skip fails instead.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from processes import ROOT, bind_to_parent

BIN = ROOT / ".venv" / "bin"
CACHE = ROOT / ".cache"
NPM = CACHE / "sdk"
BOOKS = ["accounts", "billing"]
ON_BOTH = [*BOOKS, "commands", "crash", "gateway", "routing", "sdk"]
"""Folders below tests/ that run on both databases: always those of the books, with --all the others too."""
WITHOUT_DATABASE = "--ignore=tests/routing/dialects"

RERUN_AT_MOST = 8
"""Failed tests that are tried once more alone; if more fail, it is no accident."""

MACHINE_STEPS = 2500
"""Steps of the machine that drives the money, on each of the two databases."""

CHECKS: dict[str, list[str]] = {
    "ruff": ["ruff", "check", "--quiet"],
    "format": ["ruff", "format", "--check", "--quiet"],
    "layers": ["lint-imports"],
    "mypy": ["mypy", "accounts", "billing", "routing", "playground", "smartoken", "scripts"],
    "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run", "--verbosity", "0"],
}


def parse_arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="scripts/test", description="Check and test. Further arguments go to pytest.", allow_abbrev=False
    )
    parser.add_argument("--all", action="store_true", help="also the slow tests: browser, SDKs, crashes, stress")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_known_args()


class Run:
    """What has run so far: how long each phase took, how many tests passed and failed."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.phases: list[tuple[str, float, bool]] = []
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.unsteady: list[str] = []

    def phase(self, name: str, command: list[str], **environment: str) -> None:
        """Run one command as a phase of its own."""
        began = time.monotonic()
        code, last = self._show(name, command, environment)
        if command[0] == "pytest":
            self._count(last)
        self.phases.append((name, time.monotonic() - began, code == 0))

    def tests(self, name: str, command: list[str], *, cache: str, **environment: str) -> None:
        """Run tests; those that fail once more, alone: one that passes then is named as unsteady.

        Two processes share the machine in the first run: a test may fail there by its neighbour's doing.
        """
        began = time.monotonic()
        kept = ["-o", f"cache_dir={CACHE / cache}"]
        code, last = self._show(name, [*command, *kept, "--cache-clear"], environment)
        self._count(last)
        failed = self._failed(cache)
        if code == 1 and len(failed) <= RERUN_AT_MOST:
            alone = [*command[: command.index("-n")], *kept, "--last-failed", "--last-failed-no-failures", "none"]
            code, last = self._show(f"{name}, once more", alone, environment)
            if code == 0:
                self.counts["failed"] -= len(failed)
                self.unsteady += failed
        self.phases.append((name, time.monotonic() - began, code == 0))

    @staticmethod
    def _failed(cache: str) -> list[str]:
        found = CACHE / cache / "v" / "cache" / "lastfailed"
        return list(json.loads(found.read_text())) if found.exists() else []

    def _show(self, name: str, command: list[str], environment: dict[str, str]) -> tuple[int, str]:
        """Run a command in sight; return its exit code and its last line."""
        print(f"\n== {name}", flush=True)
        last = ""
        with subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **bind_to_parent(),
        ) as process:
            assert process.stdout
            for line in process.stdout:
                print(line, end="", flush=True)
                last = line if line.strip() else last
        return process.returncode, last

    def _count(self, summary: str) -> None:
        for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", summary):
            self.counts[word if word in self.counts else "failed"] += int(number)

    def close(self) -> int:
        """Print what happened; return the exit code."""
        print()
        for test in self.unsteady:
            print(f"unsteady: {test} failed, and passed alone")
        for name, seconds, is_good in self.phases:
            print(f"{'ok    ' if is_good else 'FAILED'} {seconds:6.1f} s  {name}")
        counts = self.counts
        is_good = all(is_good for _, _, is_good in self.phases)
        if not is_good and not counts["failed"]:
            print("no test failed, but a check or a run did: see FAILED above")
        told = ", ".join(f"{number} {word}" for word, number in counts.items() if number or word != "skipped")
        print(f"{told} in {time.monotonic() - self.began:.1f}s", flush=True)
        return 0 if is_good and counts["passed"] else 1


def install_browser() -> None:
    """Find a Chromium; else fetch Playwright's own; else the system's package."""
    if shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome"):
        return
    print("no Chromium found: trying Playwright's own", flush=True)
    fetched = subprocess.run([BIN / "playwright", "install", "chromium"], capture_output=True, check=False)
    if fetched.returncode == 0:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Chromium by apt-get", flush=True)
        apt = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *command], env=apt, capture_output=True, check=False)
    if not shutil.which("chromium"):
        print("no Chromium: the browser tests can't run; install the package `chromium`", flush=True)


def install_node_packages() -> None:
    """Install the pinned packages of tests/sdk/package-lock.json for the SDK tests, where node is there."""
    sources = [ROOT / "tests" / "sdk" / name for name in ("package.json", "package-lock.json")]
    if not shutil.which("npm") or not all(source.exists() for source in sources):
        return
    installed = NPM / "node_modules"
    if installed.exists() and all((NPM / source.name).read_bytes() == source.read_bytes() for source in sources):
        return
    print("installing the SDK tests' node packages", flush=True)
    shutil.rmtree(NPM, ignore_errors=True)
    NPM.mkdir(parents=True)
    for source in sources:
        shutil.copy(source, NPM / source.name)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel", "error"]
    if subprocess.run(command, cwd=NPM, check=False).returncode:
        shutil.rmtree(NPM, ignore_errors=True)
        print("npm could not install the SDKs: their tests can't run", flush=True)


def run_tests(run: Run, *, is_all: bool, for_pytest: list[str]) -> None:
    """Everything on SQLite, what touches the books on PostgreSQL too; files are shared out over two processes."""
    pytest = ["pytest", "-q", *([] if is_all else ["-m", "not slow and not browser and not sdk"])]
    both = [WITHOUT_DATABASE, *(f"tests/{name}" for name in (ON_BOTH if is_all else BOOKS))]
    steps = str(MACHINE_STEPS if is_all else MACHINE_STEPS // 5)
    for name, database, arguments in (
        ("SQLite", "sqlite", for_pytest),
        ("PostgreSQL", "postgresql", for_pytest or both),
    ):
        environment = {"SMARTOKEN_TEST_DATABASE": database, "SMARTOKEN_MACHINE_STEPS": steps}
        if for_pytest:
            run.phase(f"tests on {name}", [*pytest, *arguments], **environment)
        else:
            shared = [*pytest, "-n", "2", "--dist", "loadfile", *arguments]
            run.tests(f"tests on {name}", shared, cache=f"pytest-{database}", **environment)


def main() -> int:
    arguments, for_pytest = parse_arguments()
    if arguments.check:
        return 0
    run = Run()
    if arguments.all:
        install_browser()
        install_node_packages()
    with tempfile.TemporaryDirectory(prefix="smartoken-checks-") as data:
        for name, command in CHECKS.items() if not for_pytest else ():
            run.phase(name, command, SMARTOKEN_DATA=data, DATABASE_URL="", REDIS_URL="")
    run_tests(run, is_all=arguments.all, for_pytest=for_pytest)
    return run.close()


if __name__ == "__main__":
    sys.exit(main())
