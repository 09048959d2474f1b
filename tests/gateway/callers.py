"""How tests call the gateway, and how they wait for what it does in its own time."""

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from django.test import Client

from accounts.models import User
from billing.models import UsageRecord

HI = [{"role": "user", "content": "Hi"}]


def eventually[T](condition: Callable[[], T], seconds: float = 10.0) -> T:
    """Return the first true value of the condition; fail when there is none before the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {condition}")
        time.sleep(0.01)
    return value


class Reply:
    """A whole answer."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.text = response.text

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        """The error object of an error answer, or of the last event of a stream."""
        found: dict[str, Any] = (self.json if self.text.startswith("{") else self.events[-1])["error"]
        return found

    @property
    def datas(self) -> list[str]:
        return [line.removeprefix("data: ") for line in self.text.split("\n") if line.startswith("data: ")]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(data) for data in self.datas if data != "[DONE]"]

    @property
    def is_done(self) -> bool:
        return self.datas[-1] == "[DONE]"

    @property
    def content(self) -> str:
        """The text of the answer, streamed or whole."""
        if self.text.startswith("{"):
            return str(self.json["choices"][0]["message"]["content"])
        deltas = [event["choices"][0].get("delta") or {} for event in self.events if event.get("choices")]
        return "".join(delta.get("content") or "" for delta in deltas)

    @property
    def usage(self) -> dict[str, Any]:
        if self.text.startswith("{"):
            found: dict[str, Any] = self.json["usage"]
            return found
        (usage,) = [event["usage"] for event in self.events if event.get("usage")]
        return dict(usage)

    @property
    def request_id(self) -> str:
        return str(self.headers["x-request-id"])

    @property
    def record(self) -> UsageRecord:
        return find_record(self.request_id)


def find_record(request_id: str) -> UsageRecord:
    """Return the usage record of this request, as soon as it is there."""
    found = eventually(lambda: UsageRecord.objects.filter(pk=request_id).first())
    assert found
    return found


class Caller:
    """A client of ``/v1`` with one key."""

    def __init__(self, client: httpx.Client, url: str, secret: str) -> None:
        self.client = client
        self.url = url
        self.secret = secret

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
        asked = self.headers if headers is None else headers
        return Reply(self.client.request(method, self.url + path, headers=asked, **fields))

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, {**self.headers, **headers})

    def post(self, content: Any, **headers: str) -> Reply:
        """Post these very bytes as a chat request."""
        asked = {"content-type": "application/json", **self.headers, **headers}
        return self.request("POST", "/v1/chat/completions", asked, content=content)

    def chat(self, headers: dict[str, str] | None = None, **body: Any) -> Reply:
        return self.post(json.dumps(chat_body(body)), **(headers or {}))

    @contextmanager
    def streaming(self, headers: dict[str, str] | None = None, **body: Any) -> Iterator[httpx.Response]:
        """Give a stream whose body is read by the test; leaving early closes the connection."""
        url, body = f"{self.url}/v1/chat/completions", chat_body({"stream": True, **body})
        # The very bytes that `chat` sends: an Idempotency-Key looks at them.
        asked = {"content-type": "application/json", **self.headers, **(headers or {})}
        with self.client.stream("POST", url, headers=asked, content=json.dumps(body)) as response:
            yield response


def chat_body(fields: dict[str, Any]) -> dict[str, Any]:
    return {"model": "deepseek", "messages": HI, **fields}


def read_until(stream: Iterable[str], text: str) -> list[str]:
    """Read a stream's lines (``response.iter_lines()``) until one holds this text; return what was read."""
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"the stream ended without {text!r}: {lines}")


class RawClient:
    """A client on a bare socket, that can stop to read and hang up when it likes."""

    def __init__(
        self, caller: Any, headers: dict[str, str] | None = None, *, path: str = "/v1/chat/completions", **body: Any
    ) -> None:
        port = httpx.URL(caller.url).port
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        content = json.dumps(chat_body(body)).encode()
        fields = {"host": "localhost", "content-type": "application/json", **caller.headers, **(headers or {})}
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        head = f"POST {path} HTTP/1.1\r\n{''.join(lines)}content-length: {len(content)}\r\n\r\n"
        self.socket.sendall(head.encode() + content)

    def read_until(self, text: bytes) -> bytes:
        """Return what has come when it holds this text."""
        data = b""
        while text not in data:
            data += self.socket.recv(256)
        return data

    def read_head(self) -> str:
        """Read the head; return the request id."""
        head = self.read_until(b"\r\n\r\n")
        (line,) = [line for line in head.split(b"\r\n") if line.startswith(b"x-request-id: ")]
        return line.partition(b": ")[2].decode()

    def close(self) -> None:
        self.socket.close()


class Visitor:
    """The browser of a signed-in person on the Playground's page."""

    PATH = "/playground/run/"
    TOKEN = "t" * 32

    def __init__(self, url: str, user: User) -> None:
        session = Client()
        session.force_login(user)
        self.url = url
        cookies = f"sessionid={session.cookies['sessionid'].value}; csrftoken={self.TOKEN}"
        self.headers = {"cookie": cookies, "x-csrftoken": self.TOKEN}

    def ask(self, **body: Any) -> Reply:
        return self.send(json.dumps(chat_body(body)))

    def send(self, content: str) -> Reply:
        headers = {**self.headers, "content-type": "application/json"}
        return Reply(httpx.post(f"{self.url}{self.PATH}", headers=headers, content=content, timeout=30))

    def post(self, path: str, content: Any) -> Any:
        """Post JSON as the page does; return the answer's."""
        return httpx.post(f"{self.url}{path}", headers=self.headers, json=content, timeout=30).json()

    def open(self, **body: Any) -> RawClient:
        """Ask on a bare socket, that may be closed at any time."""
        return RawClient(self, path=self.PATH, **body)
