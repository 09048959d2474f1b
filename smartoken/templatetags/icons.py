"""Small drawings beside words: ``{% icon "copy" %}``, from static/vendor/lucide/."""

import re
from functools import cache

from django import template
from django.conf import settings
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

register = template.Library()

FOLDER = settings.BASE_DIR / "static" / "vendor" / "lucide"
DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Draw an icon in the colour of the text; without a label it is only decoration.

    The drawing is in the page itself: it costs no request and follows the theme.
    """
    role = SafeString(f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"')
    return format_html('<svg class="icon" viewBox="0 0 24 24" {}>{}</svg>', role, _drawing(name))


@cache
def _drawing(name: str) -> SafeString:
    found = DRAWING.search((FOLDER / f"{name}.svg").read_text())
    if not found:
        raise ValueError(f"{name}.svg holds no drawing.")
    return SafeString(re.sub(r"\s+", " ", found[1]).replace("> <", "><").replace(" />", "/>").strip())
