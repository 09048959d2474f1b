"""A real HTTP upstream that misbehaves on request.

The model id in a request's body names the behaviour in ``BEHAVIOURS``, so a route's
upstream model says what its upstream will do; a GET names it by the first part of its path.
What arrived is kept in ``requests``.
Behaviours that wait do so at a gate that the test opens: no test needs to sleep.
"""

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


# --- behaviours --------------------------------------------------------------


@behaviour("ok")
async def _ok(answer: Answer) -> None:
    answer.say(TEXT)


@behaviour("ok-tools")
async def _ok_tools(answer: Answer) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Wuhan"}'}}
    if not answer.streams:
        answer.completion({"content": None, "tool_calls": [call]}, USAGE, "tool_calls")
        return
    answer.head()
    opening = {"name": "weather", "arguments": ""}
    answer.chunk({"role": "assistant", "tool_calls": [{"index": 0, **call, "function": opening}]})
    for piece in ('{"city": ', '"Wuhan"}'):
        answer.chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    answer.close_stream(finish="tool_calls")


@behaviour("ok-json")
async def _ok_json(answer: Answer) -> None:
    answer.say(['{"city": ', '"Wuhan"}'])


@behaviour("ok-fenced-json")
async def _ok_fenced_json(answer: Answer) -> None:
    answer.say(["```json\n", '{"city": "Wuhan"}', "\n```"])


@behaviour("ok-thinking-tools")
async def _ok_thinking_tools(answer: Answer) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    if not answer.streams:
        message = {"content": None, "reasoning_content": "I need the weather.", "tool_calls": [call]}
        answer.completion(message, USAGE, "tool_calls")
        return
    answer.head()
    for piece in ("I need ", "the weather."):
        answer.chunk({"reasoning_content": piece})
    answer.chunk({"tool_calls": [{"index": 0, **call}]})
    answer.close_stream(finish="tool_calls")


@behaviour("ok-reasoning")
async def _ok_reasoning(answer: Answer) -> None:
    usage = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 2}}
    if not answer.streams:
        answer.completion({"content": "42", "reasoning_content": "Hm."}, usage)
        return
    answer.open_stream([])
    answer.chunk({"reasoning_content": "Hm."})
    answer.chunk({"content": "42"})
    answer.close_stream(usage)


@behaviour("ok-cached")
async def _ok_cached(answer: Answer) -> None:
    answer.say(TEXT, {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}})


@behaviour("ok-cache-written")
async def _ok_cache_written(answer: Answer) -> None:
    answer.say(TEXT, {**USAGE, "prompt_tokens_details": {"cached_tokens": 4, "cache_creation_input_tokens": 8}})


@behaviour("two-choices")
async def _two_choices(answer: Answer) -> None:
    answer.head()
    for index in (0, 1):
        answer.chunk({"content": f"choice {index}"}, index=index)
    for index in (0, 1):
        answer.chunk({}, "stop", index=index)
    answer.usage_chunk(USAGE)
    answer.event(b"[DONE]")
    answer.end()


@behaviour("usage-on-finish")
async def _usage_on_finish(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.chunk({}, "stop", USAGE)
    answer.event(b"[DONE]")
    answer.end()


@behaviour("usage-everywhere")
async def _usage_everywhere(answer: Answer) -> None:
    answer.head()
    for count, word in enumerate(TEXT, 1):
        answer.chunk({"content": word}, usage={"prompt_tokens": 12, "completion_tokens": count})
    answer.close_stream(None)


@behaviour("usage-growing")
async def _usage_growing(answer: Answer) -> None:
    """Count with each chunk; the second half when the gate opens."""
    answer.head()
    for count, word in enumerate([*TEXT, *TEXT], 1):
        if count == len(TEXT) + 1:
            await answer.gate()
        answer.chunk({"content": word}, usage={"prompt_tokens": 12, "completion_tokens": count})
        await answer.flushed()
        await asyncio.sleep(0.01)
    answer.close_stream(None)


@behaviour("echo")
async def _echo(answer: Answer) -> None:
    """Say what the last message says."""
    answer.say([answer.body["messages"][-1]["content"]])


def said(answer: Answer) -> str:
    return str(answer.body["messages"][-1]["content"])


@behaviour("echo-tool")
async def _echo_tool(answer: Answer) -> None:
    """Call a tool whose id, name and arguments are what the last message says, and think the same before."""
    call = {"id": said(answer), "type": "function", "function": {"name": said(answer), "arguments": said(answer)}}
    message = {"content": None, "reasoning_content": said(answer), "tool_calls": [call]}
    answer.completion(message, USAGE, "tool_calls")


@behaviour("echo-400")
async def _echo_400(answer: Answer) -> None:
    """Refuse the request and quote it."""
    answer.json(400, {"error": {"message": f"Can't parse '{said(answer)}' at character 3", "code": "bad"}})


@behaviour("echo-500")
async def _echo_500(answer: Answer) -> None:
    answer.json(500, {"error": f"Traceback: generate(prompt={said(answer)!r})"})


@behaviour("echo-in-stream")
async def _echo_in_stream(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.event({"error": {"message": f"engine died on: {said(answer).upper()}", "code": 500}})
    answer.end()


@behaviour("flood")
async def _flood(answer: Answer) -> None:
    """Say sixteen megabytes as fast as the other side reads, then end well."""
    answer.open_stream([])
    for _ in range(256):
        answer.chunk({"content": "flooding" * 8192})
        await answer.flushed()
        await asyncio.sleep(0)
    answer.close_stream()


REPORTS: dict[str, Any] = {
    "usage-negative": {"prompt_tokens": -5, "completion_tokens": -7},
    "usage-huge": {"prompt_tokens": 10**30, "completion_tokens": 10**18},
    "usage-text": {"prompt_tokens": "12", "completion_tokens": "three"},
    "usage-float": {"prompt_tokens": 12.5, "completion_tokens": 3.0},
    "usage-true": {"prompt_tokens": True, "completion_tokens": True},
    "usage-null": {"prompt_tokens": None, "completion_tokens": None},
    "usage-empty": {},
    "usage-list": [12, 3],
    "usage-cached-above-input": {**USAGE, "prompt_tokens_details": {"cached_tokens": 10**12}},
    "usage-dear": {"prompt_tokens": 12, "completion_tokens": 100_000},
    "no-usage": None,
}


def _report(usage: Any) -> Behaviour:
    async def answer_with(answer: Answer) -> None:
        answer.say(TEXT, usage)

    return answer_with


BEHAVIOURS.update({name: _report(usage) for name, usage in REPORTS.items()})


@behaviour("silent")
async def _silent(answer: Answer) -> None:
    """Take the request and say nothing until the gate opens."""
    await answer.gate()
    answer.say(TEXT)


@behaviour("slow")
async def _slow(answer: Answer) -> None:
    """Send the head and a role, but no content until the gate opens."""
    answer.open_stream([])
    await answer.gate()
    for word in TEXT:
        answer.chunk({"content": word})
    answer.close_stream()


@behaviour("busy")
async def _busy(answer: Answer) -> None:
    """Comment all the time, as providers do while a request waits, but send no content until the gate opens."""
    answer.head()
    gate = asyncio.ensure_future(answer.gate())
    while not gate.done():
        answer.write(b": keep-alive\n\n")
        await asyncio.wait([gate], timeout=0.02)
    answer.chunk({"content": "late"})
    answer.close_stream()


@behaviour("held")
async def _held(answer: Answer) -> None:
    """Send one word, the rest when the gate opens."""
    if not answer.streams:
        await answer.gate()
        answer.say(TEXT)
        return
    answer.open_stream(TEXT[:1])
    await answer.gate()
    for word in TEXT[1:]:
        answer.chunk({"content": word})
    answer.close_stream()


@behaviour("late-body")
async def _late_body(answer: Answer) -> None:
    """Send the head of a whole answer, the rest when the gate opens."""
    answer.head(kind="application/json")
    await answer.gate()
    choice = {"index": 0, "message": {"role": "assistant", "content": "".join(TEXT)}, "finish_reason": "stop"}
    answer.write(json.dumps({"choices": [choice], "usage": USAGE}).encode())
    answer.end()


@behaviour("burst")
async def _burst(answer: Answer) -> None:
    """Say more at once than all buffers on the way hold, the rest when the gate opens."""
    answer.open_stream(["a burst" * 2**20])
    await answer.gate()
    answer.chunk({"content": "rest"})
    answer.close_stream()


@behaviour("endless")
async def _endless(answer: Answer) -> None:
    """Write as fast as the other side reads, until it hangs up."""
    answer.open_stream([])
    while True:
        answer.chunk({"content": "endless " * 512})
        await answer.flushed()
        await asyncio.sleep(0)


@behaviour("endless-line")
async def _endless_line(answer: Answer) -> None:
    """Begin an event and never end it, until the other side hangs up."""
    answer.head()
    answer.write(b'data: {"choices": "')
    while True:
        answer.write(b"x" * 65_536)
        await answer.flushed()
        await asyncio.sleep(0)


@behaviour("endless-silence")
async def _endless_silence(answer: Answer) -> None:
    """Send chunks without a word, until the other side hangs up."""
    answer.head()
    while True:
        answer.chunk({"role": "assistant", "content": "", "padding": "x" * 4096})
        await answer.flushed()
        await asyncio.sleep(0)


@behaviour("paced")
async def _paced(answer: Answer) -> None:
    """A word every 50 ms, 200 of them; usage at the end."""
    answer.open_stream([])
    for number in range(200):
        answer.chunk({"content": f"word{number:05d} "})
        await asyncio.sleep(0.05)
    answer.close_stream({"prompt_tokens": 12, "completion_tokens": 600, "total_tokens": 612})


@behaviour("break-at-once")
async def _break_at_once(answer: Answer) -> None:
    answer.abort()


@behaviour("break-before-content")
async def _break_before_content(answer: Answer) -> None:
    answer.open_stream([])
    answer.abort()


@behaviour("counted-then-broken")
async def _counted_then_broken(answer: Answer) -> None:
    answer.open_stream([])
    answer.usage_chunk(USAGE)
    answer.abort()


@behaviour("break-mid-stream")
async def _break_mid_stream(answer: Answer) -> None:
    if answer.streams:
        answer.open_stream(TEXT)
    else:
        answer.head(kind="application/json")
        answer.write(b'{"choices": [{"mess')
    answer.abort()


@behaviour("end-mid-stream")
async def _end_mid_stream(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.end()


@behaviour("no-done")
async def _no_done(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.chunk({}, "stop", USAGE)
    answer.end()


@behaviour("break-after-finish")
async def _break_after_finish(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.chunk({}, "stop", USAGE)
    answer.abort()


@behaviour("one-choice-cut")
async def _one_choice_cut(answer: Answer) -> None:
    """End the body in the middle of the second of two choices."""
    answer.head()
    for index in (0, 1):
        answer.chunk({"content": f"choice {index}"}, index=index)
    answer.chunk({}, "stop", USAGE)
    answer.end()


@behaviour("late-end")
async def _late_end(answer: Answer) -> None:
    """Send the end of the body in a packet of its own, behind [DONE]."""
    answer.open_stream(TEXT)
    answer.chunk({}, "stop", USAGE)
    answer.event(b"[DONE]")
    await asyncio.sleep(0.05)
    answer.end()


@behaviour("empty-stream")
async def _empty_stream(answer: Answer) -> None:
    answer.head()
    answer.end()


@behaviour("no-words")
async def _no_words(answer: Answer) -> None:
    """End well without a single word."""
    answer.say([], {"prompt_tokens": 12, "completion_tokens": 0})


@behaviour("error-first")
async def _error_first(answer: Answer) -> None:
    answer.head()
    answer.event({"error": {"message": "the model is loading", "code": "loading"}})
    answer.end()


@behaviour("error-in-stream")
async def _error_in_stream(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.event({"error": {"message": "engine died", "code": 500}})
    answer.end()


@behaviour("error-in-200")
async def _error_in_200(answer: Answer) -> None:
    answer.json(200, {"error": {"message": "quota of the provider", "code": "1113"}})


@behaviour("html-error")
async def _html_error(answer: Answer) -> None:
    answer.head(502, "text/html")
    answer.write(b"<html><body><h1>502 Bad Gateway</h1></body></html>")
    answer.end()


@behaviour("html-200")
async def _html_200(answer: Answer) -> None:
    answer.head(200, "text/html")
    answer.write(b"<html><body>Please sign in</body></html>")
    answer.end()


@behaviour("not-json")
async def _not_json(answer: Answer) -> None:
    answer.head()
    answer.event(b"{broken")
    answer.end()


@behaviour("too-long")
async def _too_long(answer: Answer) -> None:
    answer.json(400, {"error": {"message": "This model's maximum context length is 10 tokens", "code": "c"}})


@behaviour("fail-once")
async def _fail_once(answer: Answer) -> None:
    """Have too much to do at first; answer well from then on."""
    if answer.is_first:
        answer.json(503, {"error": {"message": "try later", "code": "c"}})
    else:
        answer.say(TEXT)


@behaviour("invalid-model")
async def _invalid_model(answer: Answer) -> None:
    answer.json(401, {"error": {"code": "invalid_model", "message": "no such model canary-7f3a", "type": "t"}})


@behaviour("bad-top-p")
async def _refuse_top_p(answer: Answer) -> None:
    answer.json(400, {"error": {"message": "canary-7f3a: top_p must be below 1", "code": "c"}})


@behaviour("redirect")
async def _redirect(answer: Answer) -> None:
    answer.head(307, location="http://127.0.0.1:9/elsewhere")
    answer.end()


@behaviour("resting")
async def _resting(answer: Answer) -> None:
    answer.json(429, {"error": {"message": "slow down", "code": "429"}}, retry_after="3600")


@behaviour("cut-utf8")
async def _cut_utf8(answer: Answer) -> None:
    """Cut the stream into single bytes: inside characters, inside lines."""
    answer.head()
    for text in ("你好", "，世界"):
        event = json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}, ensure_ascii=False).encode()
        for byte in b"data: " + event + b"\n\n":
            answer.write(bytes([byte]))
    answer.close_stream()


@behaviour("crlf")
async def _crlf(answer: Answer) -> None:
    """CRLF, comments, an event field, data without a space, data over two lines."""
    answer.head()
    answer.write(b": hello\r\n\r\nevent: message\r\nid: 1\r\n")
    answer.write(b'data:{"choices": [{"index": 0,\r\ndata: "delta": {"content": "crlf"}}]}\r\n\r\n')
    answer.write(b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\r\n\r\n')
    answer.write(b"data: [DONE]\r\n\r\n")
    answer.end()


@behaviour("nul")
async def _nul(answer: Answer) -> None:
    """Send texts that a database may refuse where a record keeps them."""
    answer.open_stream(["nul: \0", " surrogate: "])
    answer.event(rb'{"choices": [{"index": 0, "delta": {}, "finish_reason": "st\u0000op"}]}')
    answer.usage_chunk(USAGE)
    answer.event(b"[DONE]")
    answer.end()


@behaviour("odd-chunks")
async def _odd_chunks(answer: Answer) -> None:
    """Chunks that some provider has really sent, around a good answer."""
    answer.head()
    answer.event({"choices": [], "prompt_filter_results": []})
    answer.event({"choices": None})
    answer.event({"choices": [{"index": 0, "delta": None}]})
    answer.event({"choices": [{"index": 0, "delta": {"content": None, "role": "assistant"}}]})
    answer.chunk({"content": "odd"})
    answer.close_stream()


@behaviour("no-choices")
async def _no_choices(answer: Answer) -> None:
    answer.json(200, {"id": "x", "choices": []})


@behaviour("many-words")
async def _many_words(answer: Answer) -> None:
    """2,000 events at once, then a usage."""
    answer.open_stream([f"w{number} " for number in range(2000)])
    answer.close_stream({"prompt_tokens": 12, "completion_tokens": 2000})
