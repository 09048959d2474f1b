"""Pages keep their connections to the database from one to the next, on PostgreSQL."""

import httpx
import pytest
from django.db import connection

from billing import rows
from tests.gateway.server import Server

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
PAGES = f"{OTHERS} AND query ~ 'routing_|accounts_' AND query !~ 'accounts_version'"


@pytest.fixture(autouse=True)
def on_postgresql(database: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's connections are opened for each page")


def read(gateway: Server, path: str) -> int:
    return httpx.get(gateway.url + path).status_code


def test_the_next_page_opens_no_connection(gateway: Server) -> None:
    read(gateway, "/models/")
    before = rows.execute(f"SELECT pid {PAGES}")
    assert before
    assert [read(gateway, path) for path in ("/models/", "/pricing/", "/status/")] == [200, 200, 200]
    assert rows.execute(f"SELECT pid {PAGES}") == before


def test_a_page_does_not_mind_that_the_database_was_restarted(gateway: Server) -> None:
    read(gateway, "/models/")
    assert rows.execute(f"SELECT pg_terminate_backend(pid) {PAGES}")
    assert read(gateway, "/models/") == 200
