"""Amounts for people: always in US dollars, as exact as they need to be."""

from django import template

from billing import money

register = template.Library()


@register.filter
def usd(nanos: int | None) -> str:
    """Format nano-dollars for a page, e.g. ``$0.000021`` or ``$41.73``; nothing for None."""
    return "" if nanos is None else money.format_usd(nanos)


@register.filter
def usd_left(nanos: int | None) -> str:
    """The same for what may still be spent: never more than there is."""
    return "" if nanos is None else money.format_left(nanos)


@register.filter
def usd_exact(nanos: int | None) -> str:
    """Format nano-dollars that must add up with others, e.g. ``$15.9997748``; nothing for None."""
    return "" if nanos is None else money.format_exact(nanos)
