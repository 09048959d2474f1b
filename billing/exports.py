"""Usage records as CSV, streamed page by page: no cursor stays open, and a million rows need no memory."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Any
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async

from accounts.models import Membership
from billing import usage
from billing.filters import UsageFilter
from billing.models import UsageRecord
from billing.money import usd

PAGE = 2000
COLUMNS = (
    "time",
    "request",
    "key",
    "key_name",
    "model",
    "tag",
    "status",
    "http_status",
    "error_code",
    "ended_by",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "count_source",
    "charge_usd",
    "first_token_ms",
    "total_ms",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def stream_records(*, membership: Membership, filters: UsageFilter) -> AsyncIterator[bytes]:
    """Yield the CSV of the records that a member may see and that match, newest first; a page is a query."""
    zone = ZoneInfo(membership.organization.time_zone)
    yield write_rows([COLUMNS])
    after = ""
    while True:
        page = await sync_to_async(usage.list_records)(membership=membership, filters=filters, after=after, size=PAGE)
        if page.rows:
            yield write_rows(_cells(record, zone) for record in page.rows)
        if not (after := page.next):
            return


def write_rows(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return the rows as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _cells(record: UsageRecord, zone: ZoneInfo) -> tuple[Any, ...]:
    return (
        record.created_at.astimezone(zone).isoformat(),
        record.pk,
        record.key.prefix,
        as_text(record.key.name),
        record.model,
        as_text(record.tag),
        record.status,
        record.http_status,
        record.error_code,
        record.ended_by,
        record.input_tokens,
        record.cached_tokens,
        record.output_tokens,
        record.reasoning_tokens,
        record.count_source,
        usd(record.charge_nanos),
        record.first_token_ms,
        record.total_ms,
    )


def as_text(text: str) -> str:
    """Return a text that people wrote so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
