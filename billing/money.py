"""The one place that knows the scale of money.

Amounts are integers in nano-dollars; prices are integers in micro-dollars per
1M tokens, so that one token at price p costs p / 1000 nano-dollars.
"""

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

NANOS = 10**9
MICROS = 10**6
CENT = NANOS // 100
HALF_OF_LAST_PLACE = NANOS // 20_000
"""What rounds up to a whole dollar with four decimals."""
MAX_USD = Decimal("1000000000")
MAX_COST = 10**18 - 1
"""The most that a column of 64 bits, or one of 18 digits, holds of what a provider asks."""


class AmountError(ValueError):
    """A text that is not an amount of US dollars; the message says what to write."""


def parse_usd(text: str | Decimal, *, allow_zero: bool = True, allow_negative: bool = False) -> int:
    """Return nano-dollars for a text such as ``"12.50"``. Raises AmountError."""
    try:
        amount = Decimal(str(text).strip())
    except InvalidOperation:
        raise AmountError(f"{str(text)[:40]!r} is not an amount in US dollars; write one such as 12.50") from None
    least = -MAX_USD if allow_negative else 0
    if amount.is_zero() and not allow_zero:
        raise AmountError(f"write an amount {'other than' if allow_negative else 'above'} 0, such as 12.50")
    if not amount.is_finite() or not least <= amount <= MAX_USD:
        raise AmountError(f"{str(text)[:40]} is out of range; write an amount between {least} and {MAX_USD}")
    nanos = amount * NANOS
    if nanos != nanos.to_integral_value():
        raise AmountError(f"{str(text)[:40]} has more than 9 decimal places")
    return int(nanos)


def parse_price(text: str) -> int:
    """Return micro-dollars for a price in dollars per 1M tokens, e.g. ``"0.50"``. Raises AmountError."""
    nanos = parse_usd(text)
    if nanos % (NANOS // MICROS):
        raise AmountError(f"{text} has more than 6 decimal places")
    return nanos // (NANOS // MICROS)


def price(micros: int) -> str:
    """Return what ``parse_price`` reads: units for 1M tokens, e.g. ``"0.5"``."""
    return usd(micros * (NANOS // MICROS))


def usd(nanos: int) -> str:
    """Return the exact decimal text without an exponent, e.g. ``"0.000021"``, ``"-1.5"``, ``"0"``."""
    whole, rest = divmod(abs(nanos), NANOS)
    text = f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)
    return f"-{text}" if nanos < 0 else text


def format_usd(nanos: int) -> str:
    """Return an amount for people: ``$41.73``, four decimals below a dollar, all where it is tiny."""
    sign, size = "-" if nanos < 0 else "", abs(nanos)
    if size and size < NANOS // 100:
        return f"{sign}${usd(size)}"
    places = 2 if size >= NANOS - HALF_OF_LAST_PLACE or not size else 4
    return f"{sign}${Decimal(size) / NANOS:,.{places}f}"


def format_left(nanos: int) -> str:
    """Return what may still be spent, as short as ``format_usd`` and never more than there is: ``$5.99``."""
    if abs(nanos) < CENT:
        return format_usd(nanos)
    cut = CENT if abs(nanos) >= NANOS else NANOS // 10_000
    rest = Decimal(nanos) / cut
    return format_usd(int(rest.to_integral_value(ROUND_FLOOR)) * cut)


def format_exact(nanos: int) -> str:
    """Return all of an amount that must add up with others, with cents at least: ``$1,020.9997748``, ``-$10.00``."""
    sign, whole, rest = "-" if nanos < 0 else "", *divmod(abs(nanos), NANOS)
    digits = f"{rest:09d}".rstrip("0")
    return f"{sign}${whole:,}.{digits:0<2}"


def charge(input_tokens: int, cached_tokens: int, output_tokens: int, prices: tuple[int, int, int]) -> int:
    """Return the nano-dollars that these tokens cost, rounded up once.

    ``prices`` are micro-dollars per 1M (input, cached input, output) tokens;
    ``cached_tokens`` are part of ``input_tokens``.
    """
    input_price, cached_price, output_price = prices
    total = (input_tokens - cached_tokens) * input_price + cached_tokens * cached_price + output_tokens * output_price
    return -(-total // 1000)


def to_decimal(nanos: int) -> Decimal:
    """Return units of a currency for their billionths, bounded by what a column holds."""
    return Decimal(min(nanos, MAX_COST)).scaleb(-9)


def convert(nanos: int, rate: int) -> int:
    """Return nano-dollars for billionths of a unit that is worth ``rate`` nano-dollars, rounded up."""
    return min(-(-nanos * rate // NANOS), MAX_COST)


def to_nanos(amount: Decimal, rate: Decimal) -> int:
    """Return nano-dollars for an amount of units that are worth ``rate`` US dollars each, to the nearest."""
    exact = Context(prec=60)
    return int(exact.multiply(exact.multiply(amount, rate), Decimal(NANOS)).to_integral_value(ROUND_HALF_EVEN))
