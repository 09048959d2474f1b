"""The gateway as it runs: uvicorn with its lifespan, in a thread of the test's process."""

import socket
import threading
from typing import Any

import uvicorn

from tests.gateway.callers import eventually


class Server:
    """uvicorn on a free port of 127.0.0.1; the database's threads and the ticker start and end with it."""

    def __init__(self, application: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            application, lifespan="on", log_config=None, ws="none", proxy_headers=False, server_header=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, name="gateway")

    def start(self) -> None:
        self._thread.start()
        eventually(lambda: self._server.started or not self._thread.is_alive())
        assert self._thread.is_alive(), "the gateway did not start"

    def begin_stop(self) -> None:
        """Do what TERM does: take no more connections, end when the open requests have."""
        self._server.should_exit = True

    def stop(self) -> None:
        self.begin_stop()
        self._thread.join(60)
        self._socket.close()
        assert not self._thread.is_alive(), "the gateway did not end"
