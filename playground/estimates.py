"""What a workload would cost with each model, by the same arithmetic as a charge."""

from dataclasses import dataclass

from billing import money
from billing.models import Price
from playground.comparison import ModelRow

DAYS_A_MONTH = 30


@dataclass(frozen=True, slots=True)
class Workload:
    """Tokens of one request, ``cached`` of the input among them, and how many requests a day has."""

    input: int
    cached: int
    output: int
    requests: int

    @classmethod
    def of(cls, *, input: int, cached_percent: int, output: int, requests: int) -> "Workload":
        return cls(input, input * cached_percent // 100, output, requests)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A model with the price that follows, if one is set, and nano-dollars: None without a price or a workload."""

    row: ModelRow
    coming: Price | None
    request: int | None = None
    day: int | None = None
    month: int | None = None


def estimate(row: ModelRow, workload: Workload | None, *, coming: Price | None) -> Estimate:
    """Return what the workload costs with this model at the price in force."""
    if workload is None or row.price is None:
        return Estimate(row, coming)
    prices = (row.price.input_micros, row.price.cached_micros, row.price.output_micros)
    request = money.charge(workload.input, workload.cached, workload.output, prices)
    day = request * workload.requests
    return Estimate(row, coming, request, day, day * DAYS_A_MONTH)


def cheapest_first(estimates: list[Estimate]) -> list[Estimate]:
    """Order by the month; models without a price come last."""
    return sorted(estimates, key=lambda each: (each.month is None, each.month or 0, each.row.family.position))
