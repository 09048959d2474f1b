"""Celery's messages as files in a folder, for sites without Redis.

Kombu's own ``filesystem`` transport writes a message in place, so that a worker can read half
of one and die of it, and moves each through the system's folder of temporary files. Here a
message appears and is taken in one step each, and never leaves its folder.
"""

import contextlib
import time
import uuid
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils.json import dumps, loads

SCHEME = "folder"


class Channel(virtual.Channel):
    """A message is ``<time>-<random>.<queue>``; a name that begins with a dot is still being written."""

    @cached_property
    def folder(self) -> Path:
        client: Any = self.connection.client
        folder = Path(client.transport_options["folder"])
        folder.mkdir(exist_ok=True)
        return folder

    def _list(self, queue: str) -> list[Path]:
        """Return the waiting messages of a queue, oldest first."""
        return sorted(path for path in self.folder.iterdir() if path.name.partition(".")[2] == queue)

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        name = f"{time.time_ns()}-{uuid.uuid4().hex}.{queue}"
        unfinished = self.folder / f".{name}"
        unfinished.write_text(dumps(message))
        unfinished.rename(self.folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for path in self._list(queue):
            with contextlib.suppress(FileNotFoundError):
                text = path.read_text()
                path.unlink()  # whoever succeeds has the message
                return loads(text)
        raise Empty

    def _size(self, queue: str) -> int:
        return len(self._list(queue))

    def _purge(self, queue: str) -> int:
        waiting = self._list(queue)
        for path in waiting:
            path.unlink(missing_ok=True)
        return len(waiting)


class Transport(virtual.Transport):
    """``folder://localhost`` with the transport option ``folder``."""

    Channel = Channel
    implements = virtual.Transport.implements.extend(asynchronous=False, exchange_type=frozenset(["direct", "topic"]))
    default_port = 0
    driver_type = driver_name = SCHEME
    global_state = virtual.BrokerState()

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.state = self.global_state

    def driver_version(self) -> str:
        return "N/A"


def register() -> None:
    """Make the scheme known to Celery."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
