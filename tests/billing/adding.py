"""Usage records drawn by lot, and their sums the slow way."""

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from accounts.keys import KeyRecord
from billing import sums
from billing.models import UsageRecord
from billing.requests import PriceRecord

NOON = datetime(2031, 5, 5, 12, tzinfo=UTC)
Write = Callable[..., UsageRecord]


def draw_records(keys: Sequence[KeyRecord], price: PriceRecord) -> Write:
    """Return what writes a usage record at a time; what is not given is drawn by lot, always the same lots."""
    lots = random.Random(7)

    def make(at: datetime, **fields: Any) -> UsageRecord:
        key = fields.pop("key", lots.choice(keys))
        drawn: dict[str, Any] = {
            "model": lots.choice(["deepseek", "kimi"]),
            "upstream": lots.choice(["", "first", "second"]),
            "stream": lots.random() < 0.7,
            "status": lots.choice(["completed", "failed", "aborted"]),
            "count_source": lots.choice(["provider", "estimate"]),
            "input_tokens": lots.randrange(1000),
            "output_tokens": lots.randrange(1000),
            "charge_nanos": lots.randrange(10**6),
            "uncollected_nanos": lots.choice([0, 0, 7]),
            "cost_nanos": lots.choice([None, 900]),
            "first_token_ms": lots.choice([None, 120]),
            "total_ms": lots.randrange(120, 900),
            "tag": lots.choice(["", "", "shop", "search"]),
            "http_status": lots.choice([200, 400, 502]),
        }
        return UsageRecord.objects.create(
            id=uuid.UUID(int=lots.getrandbits(128)),
            organization_id=key.organization_id,
            key_id=key.id,
            **(drawn | fields),
            ended_by="completed",
            input_estimate=1,
            output_limit=1,
            held_nanos=1,
            price_id=price.id,
            started_at=at,
            created_at=at,
        )

    return make


def add_up(records, place: Callable[[UsageRecord], tuple[Any, ...]]) -> dict[tuple[Any, ...], sums.Sums]:
    """Sum the records one by one."""
    found: dict[tuple[Any, ...], sums.Sums] = defaultdict(sums.Sums)
    for record in records.select_related("key"):
        timed = record.status == "completed" and record.stream and record.first_token_ms is not None
        figures = {
            "requests": 1,
            "completed": record.status == "completed",
            "failed": record.status == "failed",
            "client_errors": record.status == "failed" and record.http_status < 500,
            "estimated": record.count_source != "provider",
            "estimated_tokens": (record.count_source != "provider") * (record.input_tokens + record.output_tokens),
            "costed": record.cost_nanos is not None,
            "cost_nanos": record.cost_nanos or 0,
            "first_token_ms": record.first_token_ms if timed else 0,
            "timed": timed,
            "stream_ms": record.total_ms - record.first_token_ms if timed else 0,
            "stream_tokens": record.output_tokens if timed else 0,
        }
        found[place(record)].add(tuple(figures.get(name, getattr(record, name, 0)) for name in sums.FIGURES))
    return dict(found)


def hour_of(record: UsageRecord) -> datetime:
    return record.created_at.replace(minute=0, second=0, microsecond=0)


def place_of(record: UsageRecord) -> tuple[Any, ...]:
    return (hour_of(record), record.key_id, record.user_id or record.key.created_by_id, record.model, record.upstream)
