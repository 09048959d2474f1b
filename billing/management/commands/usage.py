"""Lists usage records."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from django.core.management.base import CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from billing.models import UsageRecord
from billing.money import usd
from smartoken import commands

COLUMNS = ("created_at", "model", "status", "ended_by", "input", "cached", "output", "charge", "upstream", "id")


class Command(commands.OneLineCommand):
    help = "List the requests that were charged or might have been, newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, type=commands.email, help="a member of the organization")
        parser.add_argument("--json", action="store_true", help="a JSON list; charges are decimal texts in US dollars")
        parser.add_argument("--limit", type=commands.positive_integer, metavar="N", help="at most N records")

    def handle(self, **options: Any) -> None:
        organization = commands.find_organization(options["email"])
        records = UsageRecord.objects.filter(organization=organization).order_by("-created_at", "-id")
        write = self._write_json if options["json"] else self._write_table
        write(records[: options["limit"]])

    def _write_json(self, records: "QuerySet[UsageRecord]") -> None:
        # A record a line, so that a million of them need no memory.
        lead = "["
        for record in _read(records):
            self.stdout.write(lead + json.dumps(describe(record), cls=DjangoJSONEncoder), ending="")
            lead = ",\n"
        self.stdout.write("]" if lead != "[" else "[]")

    def _write_table(self, records: "QuerySet[UsageRecord]") -> None:
        rows = _read(records)
        first = [row for row, _ in zip(rows, range(100), strict=False)]
        widths = _widths(_cells(record) for record in first)
        if not first:
            self.stdout.write("no requests yet")
            return
        self.stdout.write(_line(COLUMNS, widths))
        for record in chain(first, rows):
            self.stdout.write(_line(_cells(record), widths))


def describe(record: UsageRecord) -> dict[str, Any]:
    """Return a record for JSON: ``charge``, ``held`` and ``uncollected`` are US dollars as decimal texts."""
    return {
        "id": record.pk,
        "created_at": record.created_at,
        "started_at": record.started_at,
        "key": record.key.prefix,
        "model": record.model,
        "provider": record.provider,
        "upstream": record.upstream,
        "upstream_model": record.upstream_model,
        "stream": record.stream,
        "demo": record.demo,
        "status": record.status,
        "http_status": record.http_status,
        "error_code": record.error_code,
        "ended_by": record.ended_by,
        "finish_reason": record.finish_reason,
        "count_source": record.count_source,
        "input_tokens": record.input_tokens,
        "cached_tokens": record.cached_tokens,
        "output_tokens": record.output_tokens,
        "reasoning_tokens": record.reasoning_tokens,
        "input_estimate": record.input_estimate,
        "output_limit": record.output_limit,
        "charge": usd(record.charge_nanos),
        "held": usd(record.held_nanos),
        "uncollected": usd(record.uncollected_nanos),
        "currency": "USD",
        "attempts": record.attempts,
        "first_token_ms": record.first_token_ms,
        "total_ms": record.total_ms,
        "client_request_id": record.client_request_id,
        "tag": record.tag,
        "provider_request_id": record.provider_request_id,
    }


def _read(records: "QuerySet[UsageRecord]") -> Iterator[UsageRecord]:
    return records.select_related("key").iterator(chunk_size=500)


def _cells(record: UsageRecord) -> tuple[str, ...]:
    return (
        f"{record.created_at:%Y-%m-%d %H:%M:%S}",
        record.model,
        record.status,
        record.ended_by,
        str(record.input_tokens),
        str(record.cached_tokens),
        str(record.output_tokens),
        "$" + usd(record.charge_nanos),
        record.upstream or "–",
        str(record.pk),
    )


def _widths(rows: Iterable[tuple[str, ...]]) -> list[int]:
    return [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
