"""What scripts/run says where a command of its own fails."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="module")
def supervisor():
    sys.path.insert(0, str(SCRIPTS))
    try:
        spec = importlib.util.spec_from_file_location("supervisor", SCRIPTS / "supervisor.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPTS))
    return module


TRACEBACK = """Traceback (most recent call last):
  File "x.py", line 1, in <module>
psycopg.OperationalError: first

The above exception was the direct cause of the following exception:

django.db.utils.OperationalError: connection to server at "127.0.0.1", port 1 failed: Connection refused
\tIs the server running on that host and accepting TCP/IP connections?
"""


def test_the_cause_is_told_in_one_line(supervisor):
    assert supervisor.read_cause(TRACEBACK) == (
        'connection to server at "127.0.0.1", port 1 failed: Connection refused '
        "Is the server running on that host and accepting TCP/IP connections?"
    )


def test_what_is_no_traceback_is_told_by_its_last_line(supervisor):
    assert supervisor.read_cause("one\ntwo") == "two"
    assert supervisor.read_cause("") == "no message"


def test_the_address_is_noted_only_where_nobody_set_one(supervisor, tmp_path, monkeypatch):
    monkeypatch.setenv("SMARTOKEN_URL", "http://127.0.0.1:9000")
    supervisor.note_address(tmp_path, is_own_url=True)
    assert (tmp_path / "url").read_text() == "http://127.0.0.1:9000"
    supervisor.note_address(tmp_path, is_own_url=False)
    assert not (tmp_path / "url").exists()
