"""Reads an upstream's bytes as the gateway does, without a gateway around it."""

from collections.abc import Iterable
from typing import Any

from billing.settlements import Tokens
from routing import dialects
from routing.rewrite import StreamRewriter, rewrite_answer, usage_object

USAGE = usage_object(Tokens(input=1, output=1), 5)


def rewrite_stream(reads: Iterable[bytes], dialect: str = "openai") -> tuple[bytes, str, Any, int]:
    """Return what a client gets of a stream, why it broke, its usage and its size."""
    spoken = dialects.get(dialect)
    reader = spoken.reader("chatcmpl-0123456789ab")
    reader.keeps_reasoning = True
    stream = StreamRewriter(
        model="m", completion_id="chatcmpl-1", created=1, include_usage=False, dialect=spoken, reader=reader
    )
    pieces = []
    for read in reads:
        pieces.append(stream.take(read))
        if stream.is_done:
            break
    else:
        pieces.append(stream.end())
    if stream.fault is None:
        pieces.append(stream.finish(USAGE))
    return b"".join(pieces), stream.fault.reason if stream.fault else "", stream.usage, stream.size


def rewrite_whole(body: bytes, dialect: str = "openai") -> tuple[bytes, Any]:
    """Return what a client gets of a whole answer, and its usage. Raises UpstreamFault."""
    spoken = dialects.get(dialect)
    whole = spoken.read_answer(body, spoken.reader("chatcmpl-0123456789ab"))
    usage = spoken.read_usage(whole)
    return rewrite_answer(whole, model="m", completion_id="chatcmpl-1", created=1, usage=USAGE), usage
