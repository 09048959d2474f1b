"""What a journey asks of whoever gets its answer."""

from collections.abc import Sequence
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]


class Client(Protocol):
    """Whoever gets the answer: an HTTP connection or a page of the Playground."""

    has_left: bool
    blocked_since: float | None

    @property
    def has_started(self) -> bool: ...

    async def start(self, status: int, headers: Headers) -> None: ...
    async def send(self, piece: bytes) -> None: ...
    async def finish(self, piece: bytes) -> None: ...
    def comment(self, headers: Headers) -> None: ...
