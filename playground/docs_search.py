"""Looking for words in the documentation: section by section, the best first, with what stands around them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from playground.docs import Page, load_pages
from playground.docs_markdown import parse, plain

MOST = 30
AROUND = 70
"""Characters of an excerpt before and behind the first word that is found."""
LONGEST_WORD = 40
MOST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading; ``anchor`` is empty for what comes before the first."""

    page: Page
    anchor: str
    heading: str
    text: str

    @property
    def searched(self) -> str:
        return f"{self.page.title} {self.heading} {self.text}".lower()


@dataclass(frozen=True, slots=True)
class Hit:
    section: Section
    heading: SafeString
    excerpt: SafeString


@cache
def load_sections() -> list[Section]:
    return [section for page in load_pages().values() for section in _split(page)]


def _split(page: Page) -> Iterable[Section]:
    anchor, heading, parts = "", "", [page.lead]
    tokens = parse(page.source)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            yield Section(page, anchor, heading, " ".join(parts))
            anchor, heading, parts = str(token.attrGet("id")), plain(tokens[place + 1]), []
        elif token.type == "inline" and tokens[place - 1].type != "heading_open":
            parts.append(plain(token))
        elif token.type == "fence" and not token.info.startswith(("samples", "path")):
            parts.append(" ".join(token.content.split()))
    yield Section(page, anchor, heading, " ".join(parts))


def search(text: str) -> list[Hit]:
    """Return the sections that hold every word of the text, at most ``MOST``."""
    words = [word[:LONGEST_WORD] for word in text.lower().split()][:MOST_WORDS]
    if not words:
        return []
    found = [section for section in load_sections() if all(word in section.searched for word in words)]
    found.sort(key=lambda section: -_weigh(section, words))
    return [_show(section, words) for section in found[:MOST]]


def _weigh(section: Section, words: list[str]) -> int:
    """A word in the heading says most, then one in the page's title, then how often it stands in the text."""
    heading, title, text = section.heading.lower(), section.page.title.lower(), section.text.lower()
    return sum(
        12 * (word == heading) + 6 * (word in heading) + 4 * (word in title) + min(3, text.count(word))
        for word in words
    )


def _show(section: Section, words: list[str]) -> Hit:
    pattern = re.compile("|".join(re.escape(word) for word in words), re.IGNORECASE)
    return Hit(
        section, mark(section.heading or section.page.title, pattern), mark(_cut(section.text, pattern), pattern)
    )


def _cut(text: str, pattern: re.Pattern[str]) -> str:
    """Return the surroundings of the first word, whole words only."""
    match = pattern.search(text)
    middle = match.start() if match else 0
    begin, end = max(0, middle - AROUND), middle + 2 * AROUND
    cut = text[begin:end]
    if begin:
        cut = "… " + cut.partition(" ")[2]
    return cut.rpartition(" ")[0] + " …" if end < len(text) else cut


def mark(text: str, pattern: re.Pattern[str]) -> SafeString:
    """Return the text, escaped, with what is found marked."""
    parts, at = [], 0
    for match in pattern.finditer(text):
        parts += [escape(text[at : match.start()]), format_html("<mark>{}</mark>", match[0])]
        at = match.end()
    return mark_safe("".join([*parts, escape(text[at:])]))  # noqa: S308
