"""How a model did over the last day, from real requests; the demo's are left out."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Avg, Count, F, Q, Sum
from django.utils import timezone

from billing.models import UsageRecord

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of the last 24 hours; figures are None where there was nothing to measure."""

    requests: int
    first_token_ms: int | None
    tokens_per_second: float | None
    success_percent: float | None


def last_day(model: str) -> Traffic:
    """Return the day's figures of the model with this public id. Calls that clients broke off don't count as failed."""
    records = UsageRecord.objects.filter(model=model, demo=False, created_at__gte=timezone.now() - DAY)
    status = UsageRecord.Status
    streamed = Q(status=status.COMPLETED, first_token_ms__isnull=False, total_ms__gt=F("first_token_ms"))
    figures = records.aggregate(
        requests=Count("id"),
        completed=Count("id", filter=Q(status=status.COMPLETED)),
        failed=Count("id", filter=Q(status=status.FAILED)),
        first_token=Avg("first_token_ms"),
        tokens=Sum("output_tokens", filter=streamed),
        milliseconds=Sum(F("total_ms") - F("first_token_ms"), filter=streamed),
    )
    ended = figures["completed"] + figures["failed"]
    return Traffic(
        requests=figures["requests"],
        first_token_ms=None if figures["first_token"] is None else round(figures["first_token"]),
        tokens_per_second=figures["tokens"] * 1000 / figures["milliseconds"] if figures["milliseconds"] else None,
        success_percent=100 * figures["completed"] / ended if ended else None,
    )
