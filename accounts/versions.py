"""Tells every process, within a second, that what it keeps in memory is out of date.

1. A trigger on each watched table bumps the table's row in ``Version``, inside the
   transaction of the change: through the admin, a command, the ORM or plain SQL.
2. Each gateway process polls the rows twice a second (``VersionWatch``).
3. Whoever fills a cache reads the version before the data and keeps it beside what
   it stored: an entry counts only while no newer version has been seen.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from django.db import DatabaseError, InterfaceError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.models import Version

KEYS = "keys"
ROUTES = "routes"
HEALTH = "health"
POLL_SECONDS = 0.5
BLIND_SECONDS = 5.0

logger = logging.getLogger(__name__)

POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION smartoken_bump_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts_version SET value = value + 1 WHERE name = TG_ARGV[0];
    RETURN NULL;
END $$
"""


def install_triggers(database: BaseDatabaseWrapper, *, version: str, tables: Iterable[str]) -> None:
    """Make the triggers of these tables, and the version's row, where they are missing."""
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_version (name, value) VALUES (%s, 1) ON CONFLICT (name) DO NOTHING", [version]
        )
        if database.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTION)
        for table in tables:
            for statement in _trigger_statements(database.vendor, version, table):
                cursor.execute(statement)


def _trigger_statements(vendor: str, version: str, table: str) -> list[str]:
    if vendor == "postgresql":
        return [
            f"CREATE OR REPLACE TRIGGER {table}_version AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION smartoken_bump_version('{version}')"
        ]
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_version_{event} AFTER {event} ON {table} "
        f"BEGIN UPDATE accounts_version SET value = value + 1 WHERE name = '{version}'; END"
        for event in ("insert", "update", "delete")
    ]


def read_versions() -> dict[str, int]:
    """Return the current value of each version."""
    return dict(Version.objects.values_list("name", "value"))


class VersionWatch:
    """Polls the versions in a thread of its own and calls back when one has moved.

    ``values`` is what was last read; ``is_blind`` tells that nothing could be read
    for five seconds, so that caches must not be trusted. ``on_poll`` is called with each
    poll, in the same thread, for what changes by the clock.
    """

    def __init__(
        self, on_change: Callable[[str], None] = lambda name: None, on_poll: Callable[[], None] = lambda: None
    ) -> None:
        self.values: dict[str, int] = {}
        self._on_change = on_change
        self._on_poll = on_poll
        self._read_at = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="versions")

    @property
    def is_blind(self) -> bool:
        return time.monotonic() - self._read_at > BLIND_SECONDS

    def start(self) -> None:
        """Read once (a DatabaseError goes to the caller), then poll in a thread with a connection of its own."""
        try:
            self.poll()
        finally:
            connection.close()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def poll(self) -> None:
        fresh = read_versions()
        for name, value in fresh.items():
            if value != self.values.get(name):
                # Before the value is noted: where this fails, the next poll tries again.
                self._on_change(name)
                self.values[name] = value
        self._on_poll()
        self._read_at = time.monotonic()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.poll()
            except Exception as error:
                # A restart of the database must not end the watch.
                logger.warning("versions can't be read: %s", type(error).__name__)
                with suppress(DatabaseError, InterfaceError):
                    connection.close()
        connection.close()
