"""Passing one route's stream on to the client, piece by piece."""

import time
from collections.abc import Callable

from routing.client import Client, Headers
from routing.dialects.base import UpstreamFault
from routing.progress import Progress
from routing.rewrite import StreamRewriter
from routing.upstream import UpstreamAnswer


class Relay:
    """``may_hang_up`` tells whether the provider's count is all that is waited for once the client has left."""

    def __init__(
        self,
        stream: StreamRewriter,
        progress: Progress,
        client: Client,
        *,
        make_headers: Callable[[], Headers],
        may_hang_up: Callable[[], bool],
    ) -> None:
        self._stream = stream
        self._progress = progress
        self._client = client
        self._make_headers = make_headers
        self._may_hang_up = may_hang_up

    async def run(self, answer: UpstreamAnswer) -> None:
        """Send each event on as it comes, until the provider has finished. Raises UpstreamFault."""
        try:
            while read := await answer.read():
                if await self._pass_on(read):
                    answer.is_done = not self._client.has_left
                    return
        except UpstreamFault:
            # A connection may break behind the last word as it likes.
            if self._stream.fault or not self._stream.is_complete:
                raise
        await self._pass_on(None)

    async def _pass_on(self, read: bytes | None) -> bool:
        """Send the events of one read in one piece; return True at the stream's end. Raises UpstreamFault.

        ``read`` is None where the body has ended.
        """
        stream, is_delivering = self._stream, not self._client.has_left
        self._progress.heard_at = time.monotonic()
        piece = (
            stream.end(is_delivering=is_delivering) if read is None else stream.take(read, is_delivering=is_delivering)
        )
        await self._deliver(piece)
        if stream.fault:
            raise stream.fault
        return stream.is_done or (self._client.has_left and stream.usage is not None and self._may_hang_up())

    async def _deliver(self, piece: bytes) -> None:
        if self._progress.first_content_at is None and self._stream.has_content:
            self._progress.first_content_at = self._progress.heard_at
        if piece and not self._client.has_left:
            if not self._client.has_started:
                await self._client.start(200, self._make_headers())
            await self._client.send(piece)
            self._progress.spoke_at = time.monotonic()
