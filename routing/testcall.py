"""A test call: one short real request to one route, for an administrator. Nothing is held or charged."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from routing import dialects, sse
from routing.dialects.answers import Usage
from routing.dialects.base import UpstreamFault
from routing.errors import GatewayError
from routing.models import Pool
from routing.rewrite import message_size
from routing.snapshot import RouteRecord, describe_route
from routing.upstream import UpstreamAnswer, Upstreams

SECONDS = 30
QUESTION = "Say hello in five words."
OUTPUT_TOKENS = 256


@dataclass(slots=True)
class Report:
    """What came of it: ``problem`` in our words, '' where it went well; times in milliseconds."""

    problem: str = ""
    provider_message: str = ""
    status: int | None = None
    first_token_ms: int | None = None
    total_ms: int = 0
    text: str = ""
    usage: Usage | None = None


def find_routes(*, pool: Pool) -> list[tuple[RouteRecord, bool]]:
    """Return a pool's routes in their order, and whether each is enabled: one is tried before it gets traffic."""
    routes = pool.routes.select_related("pool__model", "upstream__provider").order_by("priority", "pk")
    return [(describe_route(route), route.enabled) for route in routes]


def send_test_call(route: RouteRecord) -> Report:
    """Send the call and wait for its end, 30 seconds at the most. Call it where no loop runs."""
    return asyncio.run(_send(route))


async def _send(route: RouteRecord) -> Report:
    report, began_at = Report(), time.monotonic()
    upstreams = Upstreams()
    try:
        async with asyncio.timeout(SECONDS):
            await _talk(route, upstreams, report, began_at)
    except UpstreamFault as fault:
        report.problem, report.status = fault.reason, fault.status
        report.provider_message = fault.provider_message
    except GatewayError as error:
        report.problem = error.message
    except sse.EventTooLargeError:
        report.problem = "answer_too_large"
    except TimeoutError:
        report.problem = "timeout"
    finally:
        await upstreams.close()
    report.total_ms = round((time.monotonic() - began_at) * 1000)
    return report


async def _talk(route: RouteRecord, upstreams: Upstreams, report: Report, began_at: float) -> None:
    dialect = dialects.get(route.upstream.dialect)
    body: dict[str, Any] = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
    built = dialect.build(
        body, model=route.upstream_model, output_limit=OUTPUT_TOKENS, rules=route.upstream.parameter_rules
    )
    answer = await upstreams.open(route, dialect, built.body, own_address=("127.0.0.1", 0))
    report.status = 200
    reader = dialect.reader("test-call")
    try:
        async for data in _read_events(answer):
            chunk = dialect.read_event(data)
            report.usage = dialect.read_usage(chunk) or report.usage
            for choice in reader.read_chunk(chunk):
                if report.first_token_ms is None and message_size(choice["delta"]):
                    report.first_token_ms = round((time.monotonic() - began_at) * 1000)
                report.text = (report.text + (choice["delta"].get("content") or ""))[:500]
    finally:
        answer.close()
    if report.first_token_ms is None:
        report.problem = "empty"


async def _read_events(answer: UpstreamAnswer) -> AsyncIterator[bytes]:
    """Yield the data of each event before the last, or the body that stands in their place."""
    splitter = sse.EventSplitter()
    while read := await answer.read():
        for data in splitter.feed(read):
            if data.startswith(b"[DONE]"):
                return
            yield data
    for data in splitter.finish():
        yield data
