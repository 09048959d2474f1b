"""A connection to PostgreSQL that can be cut at any statement, as a network or a server would.

A proxy between a client and the server. Clients ask and wait, so the proxy does the
same: it passes a statement on, or a pipeline of several, then all of the answer. It notes
their texts, BEGIN and COMMIT among them, and can cut the connection at one of them: before
the server has it, or behind it, when the server has done it and the client will never know.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
QUERY, PARSE, BIND, SYNC, READY, TERMINATE = b"Q", b"P", b"B", b"S", b"Z", b"X"


class Pipe:
    """One end of a connection, read message by message."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.end.recv(size - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data

    def read_message(self) -> tuple[bytes, bytes]:
        """Return the type of the next message, and all its bytes."""
        head = self.read(5)
        return head[:1], head + self.read(struct.unpack("!i", head[1:])[0] - 4)

    def read_startup(self) -> tuple[int, bytes]:
        """Return code and bytes of a message of those that open a connection: they have no type."""
        head = self.read(8)
        size, code = struct.unpack("!ii", head)
        return code, head + self.read(size - 8)


class Cutter:
    """Listens at ``port`` for the server at another port of this machine."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.statements: list[str] = []
        self._place: tuple[int, bool] | None = None
        self.cuts = 0
        self._ends: set[socket.socket] = set()
        threading.Thread(target=self._listen, name="cutter", daemon=True).start()

    @contextmanager
    def noting(self) -> Iterator[list[str]]:
        """Give the list of the statements that run meanwhile."""
        self.statements = statements = []
        yield statements

    def cut_at(self, index: int, *, behind: bool) -> None:
        """Cut the connection once, at the statement with this number from now on."""
        self.statements = []
        self._place = (index, behind)

    def close(self) -> None:
        self._listener.close()
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="cutter", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server_port))
        self._ends |= {client, server}
        with closing(client), closing(server), suppress(OSError):
            try:
                self._relay(Pipe(client), Pipe(server))
            finally:
                _hang_up(server)
        self._ends -= {client, server}

    def _relay(self, client: Pipe, server: Pipe) -> None:
        code, opening = client.read_startup()
        while code in (SSL_REQUEST, GSS_REQUEST):
            client.end.sendall(b"N")
            code, opening = client.read_startup()
        server.end.sendall(opening)
        if code == CANCEL_REQUEST:
            return
        client.end.sendall(self._read_answer(server))
        prepared: dict[bytes, str] = {}
        while statement := self._read_statement(client, prepared):
            if self._is_cut(behind=False):
                return
            server.end.sendall(statement)
            answer = self._read_answer(server)
            if self._is_cut(behind=True):
                return
            client.end.sendall(answer)

    def _read_statement(self, client: Pipe, prepared: dict[bytes, str]) -> bytes:
        """Return the messages up to the next answer; nothing when the client hangs up."""
        texts, messages = [], b""
        while True:
            kind, message = client.read_message()
            messages += message
            if kind == TERMINATE:
                return b""
            if kind == QUERY:
                texts.append(message[5:-1].decode(errors="replace"))
            elif kind == PARSE:
                name, text, *_ = message[5:].split(b"\0")
                prepared[name] = text.decode(errors="replace")
            elif kind == BIND:
                texts.append(prepared[message[5:].split(b"\0")[1]])
            if kind in (QUERY, SYNC):
                self.statements.append("; ".join(texts))
                return messages

    def _read_answer(self, server: Pipe) -> bytes:
        answer = b""
        while True:
            kind, message = server.read_message()
            answer += message
            if kind == READY:
                return answer

    def _is_cut(self, *, behind: bool) -> bool:
        if self._place != (len(self.statements) - 1, behind):
            return False
        self._place = None
        self.cuts += 1
        return True


def _hang_up(server: socket.socket) -> None:
    """Wait until the server has let go of what the connection had locked: its client comes back at once."""
    server.settimeout(10)
    server.shutdown(socket.SHUT_WR)
    while server.recv(65536):
        pass
