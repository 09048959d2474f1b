"""Load on an address, by wrk where it is installed, else by ``client``.

wrk stops in the midst of what it has begun: the CPU of those requests would count and they would not.
Where few requests are made, that would be unjust to the slow: ``whole`` asks by ``client``, which waits for all.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import ROOT, bind_to_parent

from tests.bench.machine import load_core

PATH = "/v1/chat/completions"
MARK = "figures: "
OWN = "our own client"
SCRIPT = """
wrk.method = "POST"
wrk.body = %(body)s
%(headers)s
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  print(string.format(
    '%(mark)s{"requests": %%d, "seconds": %%f, "errors": %%d, "p50_ms": %%f, "p95_ms": %%f, "p99_ms": %%f}',
    summary.requests, summary.duration / 1e6, failed,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
"""


def chat(words: str = "Say in one sentence what a gateway is good for.", *, stream: bool = False) -> bytes:
    """Return the body of a chat request, a short one without other words."""
    messages = [{"role": "user", "content": words}]
    asked: dict[str, Any] = {"model": "deepseek", "messages": messages, "max_tokens": 1000}
    return json.dumps({**asked, "stream": True} if stream else asked).encode()


@dataclass(frozen=True)
class Load:
    """Requests that are alike. ``name`` is the tool."""

    body: bytes
    tool: str

    @classmethod
    def of(cls, body: bytes) -> "Load":
        return cls(body, "wrk" if shutil.which("wrk") else f"{OWN} (wrk is not installed)")

    def run(
        self, port: int, headers: Mapping[str, str], *, connections: int, seconds: float, whole: bool = False
    ) -> dict[str, Any]:
        """Return requests, seconds, errors, p50_ms, p95_ms and p99_ms. Raises RuntimeError."""
        headers = {"content-type": "application/json", **headers}
        run = self._run_wrk if self.tool == "wrk" and not whole else self._run_client
        found = run(port, headers, connections, seconds)
        if found["errors"] or not found["requests"]:
            raise RuntimeError(f"{found['errors']} of {found['requests']} requests failed")
        return found

    def _run_wrk(self, port: int, headers: Mapping[str, str], connections: int, seconds: float) -> dict[str, Any]:
        lines = "\n".join(f"wrk.headers[{_quote(name)}] = {_quote(value)}" for name, value in headers.items())
        script = SCRIPT % {"body": _quote(self.body.decode()), "headers": lines, "mark": MARK}
        with tempfile.TemporaryDirectory(prefix="smartoken-bench-") as folder:
            file = Path(folder) / "load.lua"
            file.write_text(script)
            options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
            said = _run(["wrk", *options, "-s", str(file), f"http://127.0.0.1:{port}{PATH}"], b"")
        return read(said.partition(MARK)[2])

    def _run_client(self, port: int, headers: Mapping[str, str], connections: int, seconds: float) -> dict[str, Any]:
        words = [sys.executable, "-m", "tests.bench.client", "127.0.0.1", str(port), str(connections), str(seconds)]
        return read(_run(words, write_request(self.body, headers)))


def write_request(body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _quote(text: str) -> str:
    """Return a text as Lua writes it; JSON's escapes that are used here are Lua's too."""
    return json.dumps(text)


def _run(command: list[str], given: bytes) -> str:
    bind = bind_to_parent()["preexec_fn"]

    def prepare() -> None:
        bind()
        os.sched_setaffinity(0, {load_core()})

    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, check=False, preexec_fn=prepare)
    return done.stdout.decode()


def read(text: str) -> dict[str, Any]:
    """Return the figures that a load has printed. Raises RuntimeError."""
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        raise RuntimeError("the load's figures can't be read; did the system end under it?") from None
    return found
