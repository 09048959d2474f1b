"""What is left in the site's accounts at providers that tell it: read by the worker, an alarm below a line."""

from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from billing.alarms import alarm
from billing.attempts import REASONS
from routing import dialects, sharing
from routing.credentials import describe_credential
from routing.dialects.base import Balance, Dialect, UpstreamFault
from routing.models import Upstream
from routing.notices import alarm_name
from routing.snapshot import describe_upstream
from routing.upstream import ask

SECONDS = 5.0
MOST = Decimal(10) ** 13
PLACES = Decimal("0.0001")


class BalanceError(ValueError):
    """An answer without a balance in it; the message says why."""


def read_balances() -> int:
    """Read the balance of every upstream whose provider tells it; return how many could be read."""
    upstreams = Upstream.objects.select_related("provider").order_by("pk")
    return sum(read_balance(upstream=upstream) for upstream in upstreams if _tells(upstream))


def _tells(upstream: Upstream) -> bool:
    has_credential = not describe_credential(upstream).startswith("missing")
    return dialects.get(upstream.dialect).balance is not None and has_credential


def read_balance(*, upstream: Upstream) -> bool:
    """Read and keep one balance, raise the alarm where it is low; tell whether it could be read."""
    dialect = dialects.get(upstream.dialect)
    assert dialect.balance
    try:
        left, currency = find_balance(_ask(upstream, dialect), dialect.balance, _currency_at(upstream, dialect))
    except BalanceError as error:
        sharing.note(upstream_id=upstream.pk, balance_problem=str(error)[:200])
        return False
    sharing.note(
        upstream_id=upstream.pk,
        balance=left,
        balance_currency=currency,
        balance_read_at=timezone.now(),
        balance_problem="",
    )
    if upstream.balance_alarm is not None and left < upstream.balance_alarm:
        text = f"The upstream {upstream.slug} has {left:f} {currency} left; its line is {upstream.balance_alarm:f}."
        alarm(alarm_name("balance", upstream.slug), text)
    return True


def _ask(upstream: Upstream, dialect: Dialect) -> Any:
    """Return what the provider answers. Raises BalanceError."""
    record = describe_upstream(upstream)
    assert dialect.balance
    try:
        return ask(record, dialect, record.base_url + dialect.balance.path, seconds=SECONDS)
    except UpstreamFault as fault:
        told = f"it answered with status {fault.status}" if fault.status else REASONS.get(fault.reason, fault.reason)
        raise BalanceError(told) from None


def find_balance(parsed: Any, balance: Balance, currency: str) -> tuple[Decimal, str]:
    """Return the amount in an answer and its currency: what stands beside the amount, else this one.

    Amounts come as numbers and as texts. Raises BalanceError.
    """
    left = _read_amount(_follow(parsed, balance.amount))
    if balance.spent:
        left -= _read_amount(_follow(parsed, balance.spent))
    beside = _follow(parsed, (*balance.amount[:-1], "currency"))
    is_named = isinstance(beside, str) and len(beside) == 3 and beside.isascii() and beside.isalpha()
    return left, beside.upper() if is_named else currency


def _follow(value: Any, way: tuple[str | int, ...]) -> Any:
    for step in way:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _read_amount(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BalanceError("its answer held no balance")
    try:
        amount = Decimal(str(value).strip())
        if not amount.is_finite() or abs(amount) > MOST:
            raise BalanceError("its balance makes no sense")
        return amount.quantize(PLACES)
    except InvalidOperation:
        raise BalanceError("its balance is not a number") from None


def _currency_at(upstream: Upstream, dialect: Dialect) -> str:
    """Return what a provider counts in at this address: many have one for China and one for the world."""
    assert dialect.balance
    host = urlsplit(upstream.base_url).hostname
    is_abroad = any(urlsplit(one.url).hostname == host and one.region == "international" for one in dialect.addresses)
    return "USD" if is_abroad else dialect.balance.currency
