"""Wrong arguments end with the usage, before anything is made."""

import subprocess

import pytest

from tests.scripts.tree import ROOT, plain_environment, run_and_wait


@pytest.mark.parametrize(
    "arguments",
    [["--port", "many"], ["--port", "0"], ["--port", "65536"], ["--port"], ["--bogus"], ["extra"], ["--dat", "x"]],
)
def test_a_wrong_argument_is_named(arguments):
    refused = run_and_wait(*arguments)
    assert refused.returncode == 2
    assert refused.stderr.startswith("usage: scripts/run")
    assert "scripts/run: error:" in refused.stderr
    assert refused.stdout == ""


def test_help_tells_the_options():
    told = run_and_wait("--help")
    assert told.returncode == 0
    assert told.stdout.count("usage: scripts/run") == 1
    assert all(option in told.stdout for option in ("--port", "--data", "--no-demo"))
    assert "--check" not in told.stdout


def test_a_machine_without_a_new_enough_python_is_told_what_to_install(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    tools = plain_environment() | {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "PYTHON": str(old)}
    found = subprocess.run([ROOT / "scripts" / "find-python"], env=tools, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        pytest.skip("this system's own Python, which can't be hidden here, is new enough")
    assert found.stdout == ""
    assert "Python 3.12 or newer" in found.stderr
    assert found.stderr.count("\n") == 1
