"""What models cost. A price row never changes: a new one follows it."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts import audit
from billing.models import Price

MAX_MICROS = 10**11
"""$100,000 for 1M tokens: with it the most tokens that a provider can report cost what a column holds."""


class PriceError(ValueError):
    """A price that can't be set; the message is for people."""


def current_prices() -> dict[str, Price]:
    """Return model slug → the price in force now."""
    prices = Price.objects.filter(starts_at__lte=timezone.now()).order_by("starts_at")
    return {price.model: price for price in prices}


def coming_prices() -> dict[str, Price]:
    """Return model slug → the next price that is not yet in force."""
    prices = Price.objects.filter(starts_at__gt=timezone.now()).order_by("-starts_at")
    return {price.model: price for price in prices}


def next_change() -> datetime | None:
    """Return when the next price comes into force, None where none is to come."""
    coming = Price.objects.filter(starts_at__gt=timezone.now()).order_by("starts_at")
    return coming.values_list("starts_at", flat=True).first()


@transaction.atomic
def set_price(
    *,
    model: str,
    input_micros: int,
    cached_micros: int,
    output_micros: int,
    actor: str = audit.SITE,
    starts_at: datetime | None = None,
) -> Price:
    """Add a price in micro-dollars per 1M tokens, from ``starts_at`` (now) on. Raises PriceError."""
    if min(input_micros, cached_micros, output_micros) < 0:
        raise PriceError("A price can't be negative.")
    if max(input_micros, cached_micros, output_micros) > MAX_MICROS:
        raise PriceError("A price can't be above $100,000 for 1M tokens.")
    if cached_micros > input_micros:
        raise PriceError("Cached input can't cost more than input.")
    now = timezone.now()
    if starts_at and starts_at < now:
        raise PriceError("A price can't begin in the past: what was charged stays charged.")
    starts_at = starts_at or now
    followed = Price.objects.filter(model=model, starts_at__lte=starts_at).order_by("-starts_at").first()
    price = Price.objects.create(
        model=model,
        input_micros=input_micros,
        cached_micros=cached_micros,
        output_micros=output_micros,
        starts_at=starts_at,
    )
    audit.record(
        actor=actor,
        action="price.create",
        target=f"price of {price}",
        before=audit.read_values(followed) if followed else {},
        after=audit.read_values(price),
    )
    return price
