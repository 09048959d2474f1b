"""Usage records and ledger entries as CSV, page by page: no cursor stays open, a million rows need no memory."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async

from accounts.models import Membership
from accounts.pages import Page
from billing import usage
from billing.filters import UsageFilter
from billing.models import LedgerEntry, UsageRecord
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
ENTRY_COLUMNS = ("time", "entry", "kind", "amount_usd", "request", "reason")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def stream_records(*, membership: Membership, filters: UsageFilter) -> AsyncIterator[bytes]:
    """Yield the CSV of the records that a member may see and that match, newest first; a page is a query."""
    read = partial(usage.list_records, membership=membership, filters=filters)
    async for piece in _stream(COLUMNS, read, partial(_cells, zone=ZoneInfo(membership.organization.time_zone))):
        yield piece


async def stream_entries(*, membership: Membership, span: tuple[datetime, datetime]) -> AsyncIterator[bytes]:
    """Yield the CSV of the wallet's entries of this span, newest first; their sum is what the balance moved by."""
    read = partial(usage.list_entries, membership=membership, span=span)
    cells = partial(_entry_cells, zone=ZoneInfo(membership.organization.time_zone))
    async for piece in _stream(ENTRY_COLUMNS, read, cells):
        yield piece


async def _stream(
    columns: Iterable[str], read: Callable[..., Page], cells: Callable[[Any], Iterable[Any]]
) -> AsyncIterator[bytes]:
    yield write_rows([columns])
    after = ""
    while True:
        page = await sync_to_async(read)(after=after, size=PAGE)
        if page.rows:
            yield write_rows(map(cells, page.rows))
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


def _entry_cells(entry: LedgerEntry, zone: ZoneInfo) -> tuple[Any, ...]:
    return (
        entry.created_at.astimezone(zone).isoformat(),
        entry.pk,
        entry.kind,
        usd(entry.amount_nanos),
        entry.record_id,
        as_text(entry.reason),
    )


def as_text(text: str) -> str:
    """Return a text that people wrote so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
