"""How a model did over the last day, from real requests; the demo's are left out."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from billing.modelsums import sum_hours
from billing.sums import floor_hour

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of the last 24 hours that ended; figures are None where there was nothing to measure."""

    requests: int
    first_token_ms: int | None
    tokens_per_second: float | None
    success_percent: float | None


def last_day(model: str) -> Traffic:
    """Return the day's figures of the model with this public id, as far as they are rolled up.

    Calls that clients broke off are not counted, nor are requests at fault themselves.
    """
    # From a whole hour on: what is measured is a rate, and whole hours are summed already.
    sums = sum_hours(model, since=floor_hour(timezone.now() - DAY))
    ended = sums["completed"] + sums["failed"] - sums["client_errors"]
    return Traffic(
        requests=ended,
        first_token_ms=round(sums["first_token_ms"] / sums["timed"]) if sums["timed"] else None,
        tokens_per_second=sums["stream_tokens"] * 1000 / sums["stream_ms"] if sums["stream_ms"] else None,
        success_percent=100 * sums["completed"] / ended if ended else None,
    )
