"""Small helpers for templates: navigation, the request path, meters, ratings, short numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing import money
from billing.attempts import Attempt
from smartoken.browsers import name_browser
from smartoken.drawing import describe, draw_tall, draw_wide, make_station, read_routes
from smartoken.templatetags.icons import icon as draw_icon
from smartoken.timeline import draw_timeline

register = template.Library()
register.filter("browser", name_browser)


@register.simple_tag(takes_context=True)
def nav_link(context: template.Context, name: str, text: str, *also: str, icon: str = "") -> str:
    """Link to the page called ``name``, marked as here on it and on the pages ``also``; nothing if there is none."""
    try:
        address = reverse(name)
    except NoReverseMatch:
        return ""
    match = getattr(context.get("request"), "resolver_match", None)
    here = match is not None and match.url_name in (name, *also)
    return format_html(
        '<a href="{}"{}>{}{}</a>',
        address,
        SafeString(' aria-current="page"' if here else ""),
        draw_icon(icon) if icon else "",
        text,
    )


@register.inclusion_tag("_path_figure.html")
def request_path(
    *,
    app: str = "Your app",
    app_note: str = "OpenAI SDK",
    gateway: str = "SmarToken",
    gateway_note: str = "",
    gateway_figure: str = "",
    routes: Iterable[Mapping[str, str]] = (),
    broken: str = "",
    label: str = "",
    caption: str = "",
) -> dict[str, Any]:
    """Draw a request's way. ``routes`` hold name, note, figure and state; ``broken`` is "app" or "gateway"."""
    first = make_station(app, app_note, state="broken" if broken == "app" else "taken")
    second = make_station(
        gateway, gateway_note, gateway_figure, "broken" if broken == "gateway" else "taken", is_gateway=True
    )
    stations = read_routes(routes)
    return {
        "caption": caption,
        "label": label or describe(first, second, stations),
        "wide": draw_wide(first, second, stations),
        "tall": draw_tall(first, second, stations),
    }


@register.inclusion_tag("billing/_timeline.html")
def request_timeline(attempts: Iterable[Attempt], total_ms: int, first_token_ms: int | None) -> dict[str, Any]:
    """Draw the attempts of a request on one line of time."""
    return {"timeline": draw_timeline(attempts, total_ms=total_ms, first_token_ms=first_token_ms)}


@register.simple_tag
def route(name: str, note: str = "", state: str = "taken") -> list[dict[str, str]]:
    """Return a list of one route, for pictures with a single provider."""
    return [{"name": name, "note": note, "state": state}]


@dataclass(frozen=True, slots=True)
class Meter:
    """Widths in per cent of a bar's length; ``label`` says the same in words."""

    spent: float
    held: float
    label: str
    is_full: bool


@register.simple_tag
def meter_parts(spent_nanos: int | None, held_nanos: int | None, limit_nanos: int | None) -> Meter:
    """Measure what is spent, held and left of a limit, in nano-dollars; without a limit the bar stays empty."""
    spent, held = max(spent_nanos or 0, 0), max(held_nanos or 0, 0)
    label = f"spent {money.format_usd(spent)}, held {money.format_usd(held)}"
    if limit_nanos is None:
        return Meter(0, 0, f"{label}, no limit", False)
    left = max(limit_nanos - spent - held, 0)
    total = max(limit_nanos, 1)
    spent_part = min(100 * spent / total, 100) if limit_nanos > 0 else 100
    held_part = min(100 * held / total, 100 - spent_part)
    label = f"{label}, left {money.format_left(left)} of {money.format_usd(limit_nanos)}"
    return Meter(round(spent_part, 2), round(held_part, 2), label, left == 0)


@register.simple_tag
def dots(value: int, best: int = 5) -> str:
    """Draw a rating as dots."""
    circles = format_html_join(
        "",
        '<circle cx="{}" cy="5" r="4"{}/>',
        ((5 + 12 * place, SafeString("" if place < value else ' class="empty-dot"')) for place in range(best)),
    )
    return format_html(
        '<svg class="dots" width="{0}" height="10" viewBox="0 0 {0} 10" role="img" aria-label="{1} of {2}">{3}</svg>',
        12 * best,
        value,
        best,
        circles,
    )


@register.simple_block_tag
def keep(content: str) -> str:
    """Keep what is drawn inside, blocks of other templates too: ``{% keep as title %}…{% endkeep %}``."""
    return content


@register.simple_block_tag
def question(content: str, text: str, *names: str) -> SafeString:
    """Fold an answer under its question, marked up for search engines; ``{}`` in the question is the next name.

    schema.org's words stand on the elements themselves, so that question and answer are on the page once.
    """
    return format_html(
        '<details itemscope itemprop="mainEntity" itemtype="https://schema.org/Question">'
        '<summary itemprop="name">{}</summary>'
        '<div itemscope itemprop="acceptedAnswer" itemtype="https://schema.org/Answer">'
        '<p itemprop="text">{}</p></div></details>',
        text.format(*names),
        SafeString(content),
    )


@register.filter
def tokens(count: int | None) -> str:
    """Shorten a number of tokens, e.g. ``128K`` or ``1M``."""
    if not count:
        return "–"
    if count >= 10**6:
        return f"{count / 10**6:.4g}M"
    return f"{count / 1000:.4g}K" if count >= 1000 else str(count)


@register.filter
def price(micros: int | None) -> str:
    """Format micro-dollars per 1M tokens as dollars, with two decimals or as many as it has."""
    if micros is None:
        return "–"
    dollars = Decimal(micros) / money.MICROS
    text = f"{dollars:,.6f}".rstrip("0")
    return "$" + (f"{dollars:,.2f}" if len(text.partition(".")[2]) < 2 else text)


@register.filter
def names(values: Iterable[str], shown: int = 3) -> str:
    """Write a list of names as words: ``DeepSeek, Kimi, Qwen and 14 more``."""
    items = list(values)
    head, rest = items[:shown], len(items) - shown
    if rest > 0:
        return f"{', '.join(head)} and {rest} more"
    return " and ".join([", ".join(head[:-1]), head[-1]] if len(head) > 1 else head)
