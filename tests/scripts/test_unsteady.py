"""A test that fails among others and passes alone is named; one that fails twice fails the run."""

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import testing  # noqa: E402

FAILS_ONCE = """
from pathlib import Path
def test_it(): assert Path({0!r}).exists() or Path({0!r}).touch()
"""


@pytest.fixture
def run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run one test file as a phase; return the run."""
    monkeypatch.setattr(testing, "BIN", Path(sys.executable).parent)
    monkeypatch.setattr(testing, "CACHE", tmp_path)

    def run(text: str) -> testing.Run:
        file = tmp_path / "test_it.py"
        file.write_text(text)
        run = testing.Run()
        run.tests("one", ["pytest", "-q", str(file), "-n", "1"], cache="kept")
        return run

    return run


def test_one_that_passes_alone_is_named(run_file: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_file(FAILS_ONCE.format(str(tmp_path / "seen")))
    assert run.close() == 1  # nothing passed in the first run
    assert "test_it failed, and passed alone" in capsys.readouterr().out
    assert (run.counts["failed"], [good for _, _, good in run.phases]) == (0, [True])


def test_one_that_fails_twice_fails_the_run(run_file: Any) -> None:
    run = run_file("def test_it(): assert False")
    assert run.unsteady == []
    assert (run.counts["failed"], [good for _, _, good in run.phases]) == (1, [False])
