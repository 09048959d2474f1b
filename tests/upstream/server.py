"""The server: its connections, its gate, and the words that behaviours are written in."""

import asyncio
import itertools
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

TEXT = ["Hello", " from", " upstream"]
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
PATIENCE_SECONDS = 30

Behaviour = Callable[["Answer"], Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}
replays = itertools.count(1)


def behaviour(name: str) -> Callable[[Behaviour], Behaviour]:
    def add(function: Behaviour) -> Behaviour:
        BEHAVIOURS[name] = function
        return function

    return add


def replay(pieces: list[bytes], *, status: int = 200, kind: str = "text/event-stream") -> str:
    """Make a behaviour that writes these very pieces one after another; return its name."""
    name = f"replay-{next(replays)}"

    async def write_pieces(answer: "Answer") -> None:
        answer.head(status, kind)
        for number, piece in enumerate(pieces):
            answer.write(piece)
            if number % 50 == 0:
                await answer.flushed()
                await asyncio.sleep(0)
        answer.end()

    BEHAVIOURS[name] = write_pieces
    return name


def refused_port() -> int:
    """Return a port of this machine that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Received:
    """One request as it arrived; ``closed`` is set when its connection ended, ``done`` when the behaviour had."""

    def __init__(self, head: bytes, body: bytes, connection: int) -> None:
        line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = line.split(" ", 2)
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.raw = body
        self.connection = connection
        self.closed = threading.Event()
        self.done = threading.Event()

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw or b"{}")
        return parsed


class Answer:
    """What a behaviour writes with: the head, bytes of a chunked body, OpenAI's chunks."""

    def __init__(self, received: Received, connection: "Connection") -> None:
        self.received = received
        self.body = received.body
        self.streams = bool(self.body.get("stream"))
        self._connection = connection

    def head(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        fields = {"content-type": kind, "transfer-encoding": "chunked", "x-request-id": "upstream-1", **headers}
        lines = [f"HTTP/1.1 {status} Status", *(f"{name.replace('_', '-')}: {text}" for name, text in fields.items())]
        self._connection.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def write(self, piece: bytes) -> None:
        if piece:  # an empty chunk is the body's end
            self._connection.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def end(self) -> None:
        self._connection.write(b"0\r\n\r\n")

    def abort(self) -> None:
        self._connection.abort()

    async def flushed(self) -> None:
        """Return when the other side has taken enough to write more."""
        await self._connection.writable.wait()

    @property
    def is_first(self) -> bool:
        """Tell whether this is the first request to its address that the test sees."""
        path = self.received.path
        return next(one for one in self._connection.upstream.requests if one.path == path) is self.received

    async def gate(self) -> None:
        """Wait until the test opens the gate."""
        await self._connection.upstream.wait_for_gate()

    def json(self, status: int, content: Any, **headers: str) -> None:
        self.head(status, "application/json", **headers)
        self.write(content if isinstance(content, bytes) else json.dumps(content).encode())
        self.end()

    def event(self, content: Any) -> None:
        self.write(b"data: " + (content if isinstance(content, bytes) else json.dumps(content).encode()) + b"\n\n")

    def chunk(self, delta: dict[str, Any], finish: str | None = None, usage: Any = None, index: int = 0) -> None:
        choice = {"index": index, "delta": delta, "finish_reason": finish}
        self.event(self._envelope("chat.completion.chunk", [choice], usage))

    def usage_chunk(self, usage: Any) -> None:
        self.event(self._envelope("chat.completion.chunk", [], usage))

    def completion(self, message: dict[str, Any], usage: Any, finish: str = "stop") -> None:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
        self.json(200, self._envelope("chat.completion", [choice], usage))

    def _envelope(self, kind: str, choices: list[Any], usage: Any) -> dict[str, Any]:
        envelope = {"id": "up-1", "object": kind, "created": 1, "model": self.body["model"], "choices": choices}
        return {**envelope, "usage": usage} if usage is not None else envelope

    def open_stream(self, words: list[str]) -> None:
        """Begin a stream and write these words."""
        self.head()
        self.chunk({"role": "assistant", "content": ""})
        for word in words:
            self.chunk({"content": word})

    def close_stream(self, usage: Any = USAGE, finish: str = "stop") -> None:
        self.chunk({}, finish)
        if usage is not None:
            self.usage_chunk(usage)
        self.event(b"[DONE]")
        self.end()

    def say(self, words: list[str], usage: Any = USAGE) -> None:
        """Answer well, as a stream or as a whole."""
        if self.streams:
            self.open_stream(words)
            self.close_stream(usage)
        else:
            self.completion({"content": "".join(words)}, usage)


class Connection(asyncio.Protocol):
    """One connection of the gateway: requests one after another, each answered by its behaviour."""

    def __init__(self, upstream: "Upstream") -> None:
        self.upstream = upstream
        self.number = upstream.count_connection()
        self.writable = asyncio.Event()
        self.writable.set()
        self._buffer = bytearray()
        self._received: Received | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = bytes(self._buffer[:65_536]).partition(b"\r\n\r\n")
        if not found:
            return
        request = Received(head, b"", self.number)
        size = int(request.headers.get("content-length", 0))
        start = len(head) + 4
        if len(self._buffer) < start + size:
            return
        request.raw = bytes(self._buffer[start : start + size])
        del self._buffer[: start + size], rest
        self._received = request
        self.upstream.requests.append(request)
        self._task = asyncio.ensure_future(self._answer(request))

    async def _answer(self, request: Received) -> None:
        is_page = any(request.path.endswith(end) for end in self.upstream.pages)
        name = request.path.split("/")[1] if request.method == "GET" else str(request.body.get("model"))
        if is_page or (request.method == "GET" and name not in BEHAVIOURS):
            self._show(request)
            return
        answer = Answer(request, self)
        if name.startswith("refuse-"):
            status = int(name.removeprefix("refuse-"))
            answer.json(status, {"error": {"message": f"refused with {status}", "type": "t", "code": "c"}})
        else:
            try:
                await BEHAVIOURS[name](answer)
            except Exception:
                answer.abort()  # a test that waits for its answer must fail, not wait
                raise
        request.done.set()

    def _show(self, request: Received) -> None:
        """Answer with the page that the test has put at the end of its path."""
        status, body = next(
            (page for end, page in self.upstream.pages.items() if request.path.endswith(end)), (404, b"")
        )
        self.write(b"HTTP/1.1 %d Status\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
        request.done.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.writable.set()
        if self._received:
            self._received.closed.set()
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def write(self, piece: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(piece)

    def abort(self) -> None:
        self._transport.close()


class Upstream:
    """The server, in a thread of its own, at ``http://127.0.0.1:<port>``."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._gate = asyncio.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._serves = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self._thread.start()
        self._serves.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: Connection(self), sock=self._socket)
        )
        self._serves.set()
        self._loop.run_forever()
        self._server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def count_connection(self) -> int:
        self.connections += 1
        return self.connections

    async def wait_for_gate(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._gate.wait()

    def open_gate(self) -> None:
        """Let everything that waits at the gate go on."""
        self._loop.call_soon_threadsafe(self._gate.set)

    def reset(self) -> None:
        """Forget what arrived and close the gate."""
        self.requests.clear()
        self.pages.clear()
        self._loop.call_soon_threadsafe(self._gate.clear)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
