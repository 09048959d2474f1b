"""Markdown of the documentation as HTML: headings with anchors, code to copy, samples in tabs, the request's path.

Beside the usual, a fence may be ``samples NAME`` (the same call in three languages, see
``playground/samples.py``) or ``path`` (lines such as ``gateway_note: kimi`` and
``route: DeepSeek | priority 1 | taken`` for the picture of a request).
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments.util import ClassNotFound

from playground.samples import color, render_call
from smartoken.templatetags.page import request_path

LABELS = {
    "": "Text",
    "bash": "Shell",
    "dotenv": "Environment",
    "http": "HTTP",
    "ini": "Configuration",
    "javascript": "JavaScript",
    "json": "JSON",
    "nginx": "nginx",
    "python": "Python",
    "text": "Text",
    "typescript": "TypeScript",
    "yaml": "YAML",
}


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    html: SafeString
    headings: list[Heading] = field(default_factory=list)


def fill(source: str, *, site: str, model: str) -> str:
    """Put the site's address and a served model into a text."""
    return source.replace("{{ site }}", site).replace("{{ model }}", model)


@lru_cache(maxsize=256)
def render(source: str, *, site: str, model: str) -> Rendered:
    """Return the HTML of Markdown that this project wrote; ``site`` is its address, without ``/v1``."""
    env: dict[str, Any] = {"site": site, "model": model, "codes": 0, "heading": ""}
    tokens = parse(fill(source, site=site, model=model))
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env)
    return Rendered(mark_safe(html), list_headings(tokens))  # noqa: S308


def parse(source: str) -> list[Token]:
    """Return markdown-it's tokens; each heading has its anchor as ``id``, no two the same."""
    tokens = _MARKDOWN.parse(source)
    taken: set[str] = set()
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            name = anchor = slugify(plain(tokens[place + 1])) or "section"
            number = 1
            while anchor in taken:
                number += 1
                anchor = f"{name}-{number}"
            taken.add(anchor)
            token.attrSet("id", anchor)
    return tokens


def list_headings(tokens: Sequence[Token]) -> list[Heading]:
    """Return the headings in their order."""
    return [
        Heading(int(token.tag[1]), str(token.attrGet("id")), plain(tokens[place + 1]))
        for place, token in enumerate(tokens)
        if token.type == "heading_open"
    ]


def plain(inline: Token) -> str:
    """Return the text of an inline token, without its marks."""
    children = inline.children or []
    return "".join(
        child.content if child.type in ("text", "code_inline") else " " * (child.type == "softbreak")
        for child in children
    )


def write_samples(name: str, *, site: str, model: str) -> str:
    """Return a call as Markdown: a block for each language."""
    samples = render_call(name, model=model, base_url=site)
    return "\n\n".join(f"```{sample.lexer}\n{sample.source.strip()}\n```" for sample in samples)


# --- what is rendered in another way than markdown-it does ----------------------------


def _heading_open(self: Any, tokens: Sequence[Token], place: int, options: Any, env: MutableMapping[str, Any]) -> str:
    env["heading"] = plain(tokens[place + 1])
    return str(self.renderToken(tokens, place, options, env))


def _heading_close(self: Any, tokens: Sequence[Token], place: int, options: Any, env: MutableMapping[str, Any]) -> str:
    anchor, text = tokens[place - 2].attrGet("id"), env["heading"]
    link = format_html(' <a class="anchor" href="#{}" aria-label="Link to: {}">#</a>', anchor, text)
    return link + str(self.renderToken(tokens, place, options, env))


def _table_open(self: Any, tokens: Sequence[Token], place: int, options: Any, env: MutableMapping[str, Any]) -> str:
    label = f"Table: {env['heading']}" if env["heading"] else "Table"
    return format_html('<div class="scroll" tabindex="0" role="region" aria-label="{}"><table>', label)


def _table_close(self: Any, tokens: Sequence[Token], place: int, options: Any, env: MutableMapping[str, Any]) -> str:
    return "</table></div>\n"


def _fence(self: Any, tokens: Sequence[Token], place: int, options: Any, env: MutableMapping[str, Any]) -> str:
    kind, _, name = tokens[place].info.strip().partition(" ")
    content = tokens[place].content
    env["codes"] += 1
    id_ = f"code-{env['codes']}"
    if kind == "samples":
        samples = render_call(name, model=env["model"], base_url=env["site"])
        return render_to_string("_samples.html", {"samples": samples, "id": id_})
    if kind == "path":
        return render_to_string("_path_figure.html", draw_path(content))
    context = {"id": id_, "title": name or LABELS.get(kind, kind), "text": _highlight(content, kind)}
    return render_to_string("_code.html", context)


def draw_path(source: str) -> dict[str, Any]:
    """Return the context of the path's template for lines of ``name: value``."""
    values: dict[str, str] = {}
    routes = []
    for line in source.splitlines():
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "route":
            title, note, state = (part.strip() for part in value.split("|"))
            routes.append({"name": title, "note": note, "state": state})
        else:
            values[name] = value
    return request_path(routes=routes, **values)


def _highlight(code: str, language: str) -> SafeString | str:
    try:
        return color(code, language or "text")
    except ClassNotFound:
        return code


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
for _name, _rule in {
    "heading_open": _heading_open,
    "heading_close": _heading_close,
    "table_open": _table_open,
    "table_close": _table_close,
    "fence": _fence,
}.items():
    _MARKDOWN.add_render_rule(_name, _rule)
