"""Fixtures that all tests share."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import override_settings

PLAIN_STATIC = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@pytest.fixture(scope="session", autouse=True)
def plain_static_files() -> Iterator[None]:
    """Serve static files from their source folders: nothing is collected for tests."""
    with override_settings(STORAGES=PLAIN_STATIC, WHITENOISE_USE_FINDERS=True, WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(autouse=True)
def liftable_ledger(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the flush behind a transactional test on SQLite delete the ledger; migrate's signal locks it again."""
    marker = request.node.get_closest_marker("django_db")
    is_transactional = bool(marker and marker.kwargs.get("transaction")) or ("transactional_db" in request.fixturenames)
    if is_transactional:
        request.getfixturevalue("transactional_db")  # so that this ends before its flush
    yield
    if is_transactional and connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS billing_ledgerentry_no_delete")


@pytest.fixture(scope="session")
def need_tool() -> Callable[[str], str]:
    """Return the path of a program; without it the test is skipped, in CI it fails."""

    def need(name: str) -> str:
        found = shutil.which(name)
        if not found:
            explain = pytest.fail if os.environ.get("CI") else pytest.skip
            explain(f"{name} is not installed")
        assert found
        return found

    return need
