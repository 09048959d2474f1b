"""Small helpers for templates: the console's links, meters, figures and addresses of filtered tables."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse

from billing import money

register = template.Library()

CONSOLE = {
    "dashboard": "Dashboard",
    "keys": "Keys",
    "usage": "Usage",
    "wallet": "Wallet",
    "playground": "Playground",
    "settings": "Settings",
}


@dataclass(frozen=True)
class Link:
    url: str
    text: str
    is_current: bool


@dataclass(frozen=True)
class Meter:
    """Widths in per cent of a bar's length; ``label`` says the same in words."""

    spent: float
    held: float
    label: str
    is_full: bool


@register.simple_tag(takes_context=True)
def console_links(context: Context) -> list[Link]:
    """Return the console's side navigation; the page of the request, or the one above it, is current."""
    path = context["request"].path
    links = []
    for name, text in CONSOLE.items():
        url = reverse(name)
        is_current = path == url if name == "dashboard" else path.startswith(url)
        links.append(Link(url, text, is_current))
    return links


@register.simple_tag
def meter(spent_nanos: int | None, held_nanos: int | None, limit_nanos: int | None) -> Meter:
    """Return the bar of a budget or wallet; without a limit it stays empty."""
    spent, held = max(spent_nanos or 0, 0), max(held_nanos or 0, 0)
    parts = [f"spent {money.format_usd(spent)}", f"held {money.format_usd(held)}"]
    if limit_nanos is None:
        return Meter(0, 0, ", ".join([*parts, "no limit"]), False)
    left = max(limit_nanos - spent - held, 0)
    label = ", ".join([*parts, f"left {money.format_usd(left)} of {money.format_usd(limit_nanos)}"])
    if limit_nanos <= 0:
        return Meter(100, 0, label, True)
    spent_width = min(100 * spent / limit_nanos, 100)
    return Meter(
        round(spent_width, 2), round(min(100 * held / limit_nanos, 100 - spent_width), 2), label, spent >= limit_nanos
    )


@register.filter
def tokens(count: int | None) -> str:
    """Write a context length as people say it: ``128K``, ``1M``; nothing for None."""
    if count is None:
        return ""
    for size, unit in ((10**6, "M"), (1000, "K")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + unit
    return str(count)


@register.filter
def price(micros: int | None) -> str:
    """Write a price per 1M tokens, given in micro-dollars: ``$0.50``, ``$0.075``; a dash for None."""
    return "–" if micros is None else "$" + _price_digits(micros)


def _price_digits(micros: int) -> str:
    whole, rest = divmod(micros, money.MICROS)
    return f"{whole:,}.{f'{rest:06d}'.rstrip('0').ljust(2, '0')}"


@register.filter
def dots(rating: int) -> dict[str, Any]:
    """Return the filled and empty dots of a rating out of 5, for ``_dots.html``."""
    return {"full": "●" * rating, "empty": "●" * (5 - rating), "rating": rating}
