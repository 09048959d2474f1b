"""Static files by whitenoise, read in a way that an ASGI server can stream."""

from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from whitenoise.middleware import WhiteNoiseFileResponse, WhiteNoiseMiddleware


class StaticResponse(WhiteNoiseFileResponse):
    """Whitenoise's own reads files synchronously: Django warns of each, and holds it in memory whole."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = iter(self)
        read = sync_to_async(lambda: next(parts, None), thread_sensitive=False)
        while (part := await read()) is not None:
            yield part


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    @staticmethod
    def serve(static_file: Any, request: Any) -> StaticResponse:  # type: ignore[override]
        found = static_file.get_response(request.method, request.META)
        response = StaticResponse(found.file or (), status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        return response
