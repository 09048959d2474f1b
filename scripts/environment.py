"""Makes .venv and installs a lock file into it, when that is needed: `environment.py requirements.lock`.

Standard library only: it runs before anything is installed.
"""

import fcntl
import hashlib
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 12)


def say(text: str) -> None:
    print(text, flush=True)


def is_usable() -> bool:
    """Tell whether .venv holds a Python that runs and is new enough."""
    check = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(command: list[str | Path]) -> None:
    """Run a command quietly; where it fails, show the end of what it said and stop."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        errors = [line for line in (result.stdout + result.stderr).splitlines() if not line.startswith("WARNING")]
        print("\n".join(errors[-15:]), file=sys.stderr)
        sys.exit(f"could not set up .venv; is a package registry reachable? (exit code {result.returncode})")


def install(lock: Path) -> None:
    stamp = VENV / f".{lock.name}.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not is_usable():
        say(f"making .venv with Python {sys.version_info.major}.{sys.version_info.minor}")
        run([sys.executable, "-m", "venv", "--clear", VENV])
    elif stamp.exists() and stamp.read_text() == digest:
        return
    say(f"installing the packages of {lock.name} (a minute or so)")
    began = time.monotonic()
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--require-hashes",
        "-r",
        lock,
    ]
    run(pip)
    stamp.write_text(digest)
    say(f"installed in {time.monotonic() - began:.0f} s")


def main() -> None:
    with (ROOT / ".venv.lock").open("w") as guard:
        # Two starts at once must not both install.
        fcntl.flock(guard, fcntl.LOCK_EX)
        install(ROOT / sys.argv[1])


if __name__ == "__main__":
    main()
