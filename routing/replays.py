"""Answers kept for an Idempotency-Key: recorded while they are sent, and given again.

Kept is what the client was sent, compressed and encrypted, but for the one figure that is
known only behind the settle, the cost; it is put in when the answer is given again.
"""

import asyncio
import hashlib
import re
import secrets
import zlib
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings

from accounts.reader import Reader
from billing import money
from billing.idempotency import Claim, Conflict, Kept, Recorded, read_answer
from billing.settlements import Tokens
from routing import cipher
from routing.answers import budget_headers
from routing.client import Client, Headers
from routing.errors import GatewayError
from routing.rewrite import usage_object

MAX_BYTES = 2**20
"""Of an answer's text, and of what is kept of it: a stream is mostly frames, which compress to next to nothing."""

PIECE_BYTES = 2**18
WINDOW_BITS = 13
"""Spans some thirty frames of a stream, which are all alike, and costs 64 KB a stream instead of 256."""

RETRY_SECONDS = 2
NAME = re.compile(rb"[ -~]{1,255}")

COST = secrets.token_hex(16).encode()
"""Stands in an answer where its cost will: nobody who writes one can know it."""


def read_claim(name: bytes | None, *, path: str, body: bytes) -> Claim | None:
    """Return the claim of a request with this Idempotency-Key; None without one. Raises GatewayError."""
    if name is None:
        return None
    if not NAME.fullmatch(name):
        problem = "Idempotency-Key must be 1 to 255 printable ASCII characters, such as a UUID."
        raise GatewayError("invalid_request", problem, "Idempotency-Key")
    return Claim(name.decode(), hashlib.sha256(path.encode() + b"\0" + body).digest())


def conflict_error(conflict: Conflict) -> GatewayError:
    """Return the error for a request whose Idempotency-Key is taken."""
    if conflict == Conflict.MISMATCH:
        return GatewayError("idempotency_mismatch")
    if conflict == Conflict.RUNNING:
        return GatewayError("idempotency_conflict", retry_after=RETRY_SECONDS)
    problem = "This Idempotency-Key was answered and charged, but the answer was too long to keep. Use a new key."
    return GatewayError("idempotency_conflict", problem, may_retry=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer cut where its cost stands. ``before`` is compressed; ``size`` is what it comes to."""

    headers: list[tuple[str, str]]
    size: int
    before: bytes
    after: bytes

    def seal(self) -> bytes:
        about = {"headers": self.headers, "size": self.size, "after": self.after.decode()}
        return cipher.encrypt(orjson.dumps(about) + b"\n" + self.before)

    @classmethod
    def unseal(cls, sealed: bytes) -> "Answer":
        """Return what was sealed. Raises GatewayError when its key is gone."""
        try:
            about, _, before = cipher.decrypt(sealed).partition(b"\n")
        except cipher.InvalidToken:
            problem = "This Idempotency-Key was answered and charged, but its answer can't be read any more."
            raise GatewayError("idempotency_conflict", problem, may_retry=False) from None
        parsed: dict[str, Any] = orjson.loads(about)
        return cls(parsed["headers"], parsed["size"], before, parsed["after"].encode())

    def pieces(self) -> Iterator[bytes]:
        """Yield what comes before the cost, in pieces that need little memory."""
        decompressor = zlib.decompressobj(WINDOW_BITS)
        rest = self.before
        while rest:
            yield decompressor.decompress(rest, PIECE_BYTES)
            rest = decompressor.unconsumed_tail
        yield decompressor.flush()

    def end(self, charge: int) -> bytes:
        """Return the cost (``charge`` in nano-dollars) and what follows it."""
        return orjson.dumps(charge / money.NANOS) + self.after


def usage_without_cost(tokens: Tokens) -> dict[str, Any]:
    """Return the usage object with COST in its place."""
    return {**usage_object(tokens, 0), "cost": orjson.Fragment(COST)}


class Recorder:
    """A journey's client that takes the whole answer, whether or not the client behind it stays."""

    blocked_since: float | None = None
    """Never: a client that does not read is given up, and the answer goes on."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.has_left = False
        """True only when the answer is not waited for any more: then the journey ends as any other."""
        self.is_alone = False
        """True when the client behind it has left or does not read: nothing is sent any more."""
        self._compressor = zlib.compressobj(1, wbits=WINDOW_BITS, memLevel=6)
        self._parts: list[bytes] = []
        self._kept_size = 0
        self._size = 0

    @property
    def has_started(self) -> bool:
        return self._client.has_started

    async def start(self, status: int, headers: Headers) -> None:
        if not self.is_alone:
            await self._client.start(status, headers)

    async def send(self, piece: bytes) -> None:
        self._keep(piece)
        await self._pass_on(piece)

    async def finish(self, piece: bytes) -> None:
        """Send the last piece; ``seal`` has recorded it."""
        await self._pass_on(piece, is_last=True)

    def comment(self, headers: Headers) -> None:
        if not self.is_alone and self._client.blocked_since is None:
            self._client.comment(headers)

    async def _pass_on(self, piece: bytes, *, is_last: bool = False) -> None:
        if self.is_alone:
            return
        sending: Awaitable[None] = self._client.finish(piece) if is_last else self._client.send(piece)
        try:
            async with asyncio.timeout(settings.CLIENT_STALL_SECONDS):
                await sending
        except TimeoutError:
            self.is_alone = True

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        self._keep_compressed(self._compressor.compress(piece))

    def _keep_compressed(self, part: bytes) -> None:
        self._kept_size += len(part)
        self._parts.append(part)
        if self._kept_size > MAX_BYTES:
            self._parts.clear()

    def seal(self, last: bytes, *, headers: Headers, text_size: int) -> bytes | None:
        """Return the answer, encrypted; None where it is too long. ``last`` is its last piece, with COST in it."""
        before, _, after = last.partition(COST)
        self._keep(before)
        self._keep_compressed(self._compressor.flush())
        if text_size > MAX_BYTES or self._kept_size > MAX_BYTES:
            return None
        told = [(name.decode(), value.decode("latin-1")) for name, value in headers]
        return Answer(told, self._size, b"".join(self._parts), after).seal()

    async def replay(self, kept: Kept, headers: Headers) -> None:
        """Send a recorded answer, all at once. Raises GatewayError."""
        answer = Answer.unseal(kept.answer)
        end = answer.end(kept.charge)
        own = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        if not kept.stream:
            own.append((b"content-length", str(answer.size + len(end)).encode()))
        await self.start(200, [*headers, *own])
        for piece in answer.pieces():
            await self._pass_on(piece)
        await self.finish(end)


async def replay(recorded: Recorded, *, recorder: Recorder, reader: Reader) -> None:
    """Give the answer of an earlier request to the client of this one. Raises GatewayError."""
    kept = await reader.run(read_answer, recorded.request)
    if kept is None:  # it has expired this very moment
        raise conflict_error(Conflict.RUNNING)
    original = (b"x-smartoken-original-request", str(recorded.request).encode())
    headers = [*budget_headers(recorded.standings, recorded.limits), (b"x-smartoken-replayed", b"true"), original]
    await recorder.replay(kept, headers)
