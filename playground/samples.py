"""The code shown on the site: one file a language in templates/playground/samples/, and an answer's preview."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from accounts.models import APIKey, Membership
from billing import money
from playground.comparison import ModelRow

PLACEHOLDER = "YOUR_SMARTOKEN_KEY"
LANGUAGES = (
    ("curl", "cURL", "curl.sh", "bash"),
    ("python", "Python", "python.py", "python"),
    ("typescript", "TypeScript", "typescript.ts", "typescript"),
)
MOST_KEYS = 50
PREVIEW_TOKENS = (120, 310)
"""Input and output tokens of the preview: enough that its cost needs no exponent."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call in one language: ``source`` is what runs, ``html`` the same with classes for its colours."""

    language: str
    label: str
    source: str
    html: SafeString
    lexer: str = "text"


def render_samples(*, model: str, base_url: str, key: str = PLACEHOLDER) -> list[Sample]:
    """Return the streaming call in cURL, Python and TypeScript.

    ``base_url`` is the site's address without ``/v1``. TypeScript reads the key from the
    environment variable SMTOKEN_API_KEY, so that ``key`` only stands in its first line.
    """
    return render_call("stream", model=model, base_url=base_url, key=key)


def render_call(call: str, *, model: str, base_url: str, key: str = PLACEHOLDER) -> list[Sample]:
    """Return a call as ``render_samples`` does, by the name of its folder in templates/playground/samples/."""
    values = {"model": model, "base_url": f"{base_url.rstrip('/')}/v1", "key": key}
    return [
        _render(name, label, file if call == "stream" else f"{call}/{file}", lexer, values)
        for name, label, file, lexer in LANGUAGES
    ]


def name_key(membership: Membership | None, *, family: str = "") -> str:
    """Return what stands for the key in samples: the beginning of the reader's newest that may call this family.

    ``family`` is its slug; without one, of the newest that may call every family, else of the newest.
    """
    if membership is None:
        return PLACEHOLDER
    in_force = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    own = APIKey.objects.filter(in_force, organization=membership.organization_id, created_by=membership.user_id)
    keys = list(own.filter(kind=APIKey.Kind.STANDARD).order_by("-pk").only("prefix", "families")[:MOST_KEYS])
    fitting = [key for key in keys if not key.families or family in key.families] or ([] if family else keys)
    return f"{fitting[0].prefix}…{PLACEHOLDER}" if fitting else PLACEHOLDER


def _render(name: str, label: str, file: str, lexer: str, values: dict[str, str]) -> Sample:
    source = render_to_string(f"playground/samples/{file}.txt", values)
    return Sample(name, label, source, _color_known(source, lexer), lexer)


def color(source: str, lexer: str) -> SafeString:
    """Return HTML whose spans carry pygments' class names; the text is escaped."""
    html: str = highlight(source, get_lexer_by_name(lexer), HtmlFormatter(nowrap=True))  # type: ignore[no-untyped-call]
    return mark_safe(html)  # noqa: S308


@lru_cache(maxsize=256)
def _color_known(source: str, lexer: str) -> SafeString:
    """Color what is the same for every reader or nearly so: pygments takes milliseconds."""
    return color(source, lexer)


def render_preview(row: ModelRow) -> SafeString:
    """Return a short answer of this model as it comes from `/v1`, its cost reckoned from the price in force."""
    prompt, completion = PREVIEW_TOKENS
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if row.price:
        prices = (row.price.input_micros, row.price.cached_micros, row.price.output_micros)
        cost = money.charge(prompt, 0, completion, prices) / money.NANOS
        usage |= {"cost": cost, "currency": "USD", "tracked": True}
    message = {"role": "assistant", "content": f"Hello from {row.family.name}. …"}
    # Laid out by hand: as short as it can be read.
    lines = [
        '{"object": "chat.completion",',
        f' "model": {_dump(row.model.slug)},',
        ' "choices": [{"index": 0,',
        f'   "message": {_dump(message)},',
        '   "finish_reason": "stop"}],',
        ' "usage": {',
        ",\n".join(f"   {_dump(name)}: {_dump(value)}" for name, value in usage.items()) + "}}",
    ]
    return _color_known("\n".join(lines), "json")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
