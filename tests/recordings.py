"""Real answers of providers, where they lie beside the project; tests that need them are skipped elsewhere."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from tests.routing.dialects.facts import SHARED

DIALECTS = {"deepseek": "deepseek", "kimi": "kimi", "qwen": "qwen", "zai": "glm"}


@dataclass
class Said:
    """What an answer says, read in the plainest way: all of it must reach the client."""

    content: str = ""
    reasoning: str = ""
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    finish_reason: str = ""

    def add(self, part: dict[str, Any]) -> None:
        """Take a delta or a message."""
        self.content += part.get("content") or ""
        self.reasoning += part.get("reasoning_content") or ""
        for place, call in enumerate(part.get("tool_calls") or []):
            known = self.calls.setdefault(call.get("index", place), {"id": "", "name": "", "arguments": ""})
            known["id"] = known["id"] or call.get("id", "")
            known["name"] += call["function"].get("name", "")
            known["arguments"] += call["function"].get("arguments", "")


def read_said(body: str) -> Said:
    """Read a stream in its usual form, or a whole answer."""
    said = Said()
    if body.lstrip().startswith("{"):
        [choice] = json.loads(body)["choices"]
        said.add(choice["message"])
        said.finish_reason = choice["finish_reason"]
        return said
    for chunk in read_chunks(body):
        for choice in chunk["choices"]:
            said.add(choice.get("delta") or {})
            said.finish_reason = choice.get("finish_reason") or said.finish_reason
    return said


def read_chunks(body: str) -> list[dict[str, Any]]:
    datas = [line.removeprefix("data: ") for line in body.split("\n") if line.startswith("data: ")]
    return [json.loads(data) for data in datas if data != "[DONE]"]


@dataclass(frozen=True)
class Recording:
    name: str
    status: int
    body: str
    url: str

    @property
    def dialect(self) -> str:
        return DIALECTS[self.name.partition("-")[0]]

    @property
    def is_stream(self) -> bool:
        return self.name.endswith("stream")

    @property
    def is_error(self) -> bool:
        return self.status != 200

    @property
    def usage(self) -> dict[str, Any]:
        """The provider's last counts."""
        chunks = read_chunks(self.body) if self.is_stream else [json.loads(self.body)]
        found: dict[str, Any] = next(chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage"))
        return found


def load_recordings() -> list[Recording]:
    """Return all recordings by name; none where they are not there."""
    found = []
    for path in sorted((SHARED / "recordings").glob("*.json")):
        kept = json.loads(path.read_text())
        found.append(Recording(path.stem, kept["status"], kept["body"], kept["url"]))
    return found


def cut_randomly(body: bytes, seed: int, pieces: int = 200) -> list[bytes]:
    """Return the body in so many pieces, cut anywhere, also inside characters."""
    places = sorted(random.Random(seed).choices(range(len(body)), k=pieces - 1))
    return [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True) if start < end]


def cut_to_bytes(body: bytes) -> list[bytes]:
    return [body[place : place + 1] for place in range(len(body))]


CUTS = {
    "whole": lambda body: [body],
    "bytes": cut_to_bytes,
    "random-1": lambda body: cut_randomly(body, 1),
    "random-2": lambda body: cut_randomly(body, 2, 2000),
}
