"""Makes .venv and installs a lock file into it, where that is needed; then goes on as another script.

`environment.py LOCK SCRIPT [arguments]`. Standard library only: it runs before anything is installed.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from processes import PYTHON, ROOT, Command, run

VENV = ROOT / ".venv"
OLDEST = (3, 12)


def say(text: str) -> None:
    """Tell the progress, beside what the script itself prints."""
    print(text, file=sys.stderr, flush=True)


def is_usable() -> bool:
    """Tell whether .venv holds a Python that runs, is new enough, and was not moved here from elsewhere."""
    pip = VENV / "bin" / "pip"
    try:
        works = run([PYTHON, "-c", f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"]).returncode == 0
        return works and str(VENV) in pip.read_text()
    except OSError:
        return False


def run_or_stop(command: Command) -> None:
    """Run a command quietly; where it fails, show the end of what it said and stop."""
    result = run(command)
    if result.returncode:
        errors = [line for line in (result.stdout + result.stderr).splitlines() if "://" not in line]
        print("\n".join(errors[-15:]), file=sys.stderr)
        sys.exit("could not set up .venv: see above; is the package registry reachable?")


def install(lock: Path) -> None:
    """Bring .venv to what the lock file says; nothing happens while the lock file stays the same."""
    stamp = VENV / f".{lock.name}.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not is_usable():
        say(f"making .venv with Python {sys.version_info.major}.{sys.version_info.minor}")
        if VENV.is_symlink() or VENV.is_file():
            VENV.unlink()
        shutil.rmtree(VENV, ignore_errors=True)
        run_or_stop([sys.executable, "-m", "venv", VENV])
    elif stamp.exists() and stamp.read_text() == digest:
        return
    say(f"installing the packages of {lock.name} (a minute or so)")
    began = time.monotonic()
    pip: Command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    run_or_stop([*pip, "--require-hashes", "-r", lock])
    stamp.write_text(digest)
    say(f"installed in {time.monotonic() - began:.0f} s")


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends without a traceback
    lock, script, *arguments = sys.argv[1:]
    with (ROOT / ".venv.lock").open("w") as guard:
        # Two starts at once must not both install.
        fcntl.flock(guard, fcntl.LOCK_EX)
        install(ROOT / lock)
    # The script takes this process's place: the head of its tree is the one that was started.
    os.execv(PYTHON, [str(PYTHON), str(ROOT / script), *arguments])


if __name__ == "__main__":
    main()
