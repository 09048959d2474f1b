"""The documentation: Markdown files in docs/, and pages made from the code's own lists."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from pygments.util import ClassNotFound

from playground.samples import color

FOLDER = Path(__file__).resolve().parent.parent / "docs"
ORDER = ("quick-start", "charging", "limits", "errors", "conformance", "self-hosting", "settings")
"""What the list of pages begins with; other files follow by name."""

MADE = {
    "errors": ("Errors", "Every error of /v1: its status, its cause, what to do, and whether to try again."),
    "conformance": (
        "Conformance",
        "What each model family's translation to OpenAI's API was tested against: a real answer of the provider, its"
        " documentation, or nothing yet.",
    ),
    "settings": ("Settings", "Every environment variable that an operator may set."),
}
"""Pages whose content is a list in the code: slug → title, lead."""


@dataclass(frozen=True, slots=True)
class Page:
    """``source`` is Markdown; empty for a page that is made from code."""

    slug: str
    title: str
    lead: str
    source: str = ""

    @property
    def html(self) -> SafeString:
        return render(self.source)


@cache
def load_pages() -> dict[str, Page]:
    """Return slug → page in the order of the list."""
    found = {path.stem: _read(path) for path in FOLDER.glob("*.md")}
    found |= {slug: Page(slug, title, lead) for slug, (title, lead) in MADE.items()}
    places = {slug: place for place, slug in enumerate(ORDER)}
    return {slug: found[slug] for slug in sorted(found, key=lambda slug: (places.get(slug, len(ORDER)), slug))}


def _read(path: Path) -> Page:
    """Read a file that begins with a heading and a paragraph."""
    text = path.read_text(encoding="utf-8")
    heading, _, rest = text.partition("\n")
    paragraphs = [part.strip() for part in rest.strip().split("\n\n")]
    lead = next((part for part in paragraphs if not part.startswith(("#", "-", "|", "`", "1."))), "")
    return Page(path.stem, heading.removeprefix("# ").strip(), lead, rest)


def search(pages: dict[str, Page], text: str) -> list[Page]:
    """Return the pages that hold every word of the text."""
    words = text.lower().split()
    return [page for page in pages.values() if all(word in _searched(page) for word in words)]


def _searched(page: Page) -> str:
    return f"{page.title} {page.lead} {page.source}".lower()


def render(source: str) -> SafeString:
    """Return the HTML of Markdown that this project wrote; addresses are this site's."""
    markdown = MarkdownIt("commonmark", {"html": False, "highlight": _highlight}).enable("table")
    html: str = markdown.render(source.replace("{{ site }}", settings.SMARTOKEN_URL))
    html = html.replace("<pre>", '<pre class="code hl">')
    framed = html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
    return mark_safe(framed)  # noqa: S308


def _highlight(code: str, language: str, attributes: str) -> str:
    try:
        return str(color(code, language or "text"))
    except ClassNotFound:
        return ""
