"""What providers ask for tokens, in their own currency, and what a currency is worth in US dollars."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from billing import money
from billing.models import ExchangeRate
from billing.settlements import Tokens

USD = "USD"
MAX_RATE = 10**6
LEAST_RATE = Decimal("0.000000001")


class RateError(ValueError):
    """A rate of exchange that can't be set; the message is for people."""


@dataclass(frozen=True, slots=True)
class CostRecord:
    """What the provider behind a route asks, in memory.

    ``micros`` are millionths of a unit per 1M (input, cached, output) tokens;
    ``rate`` is what a unit is worth in nano-dollars, None where nobody has said so.
    """

    currency: str
    micros: tuple[int, int, int]
    rate: int | None

    def describe(self, tokens: Tokens) -> dict[str, Any]:
        """Return the cost columns of a usage record."""
        nanos = money.charge(tokens.input, tokens.cached, tokens.output, self.micros)
        return {
            "cost": money.to_decimal(nanos),
            "cost_currency": self.currency,
            "cost_nanos": None if self.rate is None else money.convert(nanos, self.rate),
        }

    def pack(self) -> list[Any]:
        """Return it as JSON, for a checkpoint."""
        return [self.currency, *self.micros, self.rate]

    @classmethod
    def unpack(cls, packed: list[Any]) -> "CostRecord":
        currency, *micros, rate = packed
        return cls(currency, (micros[0], micros[1], micros[2]), rate)


# --- rates of exchange -----------------------------------------------------


def current_rates() -> dict[str, int]:
    """Return currency → the nano-dollars that a unit is worth now."""
    return {currency: money.parse_usd(rate) for currency, rate in _rates_at(timezone.now()).items()}


def find_rate(*, currency: str, at: datetime) -> Decimal | None:
    """Return what a unit was worth in US dollars at that time, None where nobody has said so."""
    return _rates_at(at).get(currency)


def _rates_at(at: datetime) -> dict[str, Decimal]:
    rates = ExchangeRate.objects.filter(starts_at__lte=at).order_by("starts_at").values_list("currency", "usd")
    return dict(rates) | {USD: Decimal(1)}


def next_change() -> datetime | None:
    """Return when the next rate comes into force, None where none is to come."""
    coming = ExchangeRate.objects.filter(starts_at__gt=timezone.now()).order_by("starts_at")
    return coming.values_list("starts_at", flat=True).first()


def check_currency(text: str) -> str:
    """Return a currency's three letters. Raises RateError."""
    currency = text.strip().upper()
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise RateError(f"{text[:20]!r} is not a currency; write its three letters, such as CNY.")
    return currency


def check_rate(rate: Decimal) -> Decimal:
    """Return what a unit is worth in US dollars, if it can be. Raises RateError."""
    if not rate.is_finite() or not LEAST_RATE <= rate <= MAX_RATE or rate != round(rate, 9):
        raise RateError("Write what one unit is worth in US dollars, such as 0.138, with at most 9 decimal places.")
    return rate


@transaction.atomic
def set_rate(
    *, currency: str, usd: Decimal, starts_at: datetime | None = None, actor: str = audit.SITE
) -> ExchangeRate:
    """Add what a unit of a currency is worth in US dollars, from ``starts_at`` (now) on. Raises RateError.

    It may begin in the past, for bills of that time: costs that are on record stay as they are.
    """
    currency, starts_at = check_currency(currency), starts_at or timezone.now()
    if currency == USD:
        raise RateError("A US dollar is always worth 1.")
    earlier = ExchangeRate.objects.filter(currency=currency, starts_at__lte=starts_at).order_by("-starts_at").first()
    rate, is_new = ExchangeRate.objects.get_or_create(
        currency=currency, starts_at=starts_at, defaults={"usd": check_rate(usd)}
    )
    if not is_new:
        raise RateError(f"There is a rate of {currency} from this moment already; choose another one.")
    audit.record(
        actor=actor,
        action="rate.create",
        target=f"rate of {currency}",
        before=audit.read_values(earlier) if earlier else {},
        after=audit.read_values(rate),
    )
    return rate
