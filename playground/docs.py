"""The documentation: Markdown files in docs/, and pages made from the code's own lists."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playground.docs_lists import MADE
from playground.docs_markdown import Rendered, draw_path, fill, render, write_samples

FOLDER = Path(__file__).resolve().parent.parent / "docs"
GROUPS = {
    "Start": ("quick-start", "migration", "frameworks"),
    "The API": ("authentication", "chat-completions", "models", "errors", "conformance", "management-api"),
    "Money": ("limits", "charging", "wallet"),
    "Running your own": ("running", "self-hosting", "commands", "settings", "performance"),
}
"""The pages of the side navigation. A file that stands nowhere here comes at the end of the last group."""


@dataclass(frozen=True, slots=True)
class Page:
    """``source`` is Markdown without its title and ``lead``, the first paragraph."""

    slug: str
    title: str
    lead: str
    source: str

    def render(self, *, site: str, model: str) -> Rendered:
        return render(self.source, site=site, model=model)

    def render_lead(self, *, site: str, model: str) -> Rendered:
        return render(self.lead, site=site, model=model)

    def write(self, *, site: str, model: str) -> str:
        """Return the page as Markdown that stands by itself, for language models."""
        text = fill(f"# {self.title}\n\n{self.lead}\n\n{self.source.strip()}\n", site=site, model=model)
        parts = text.split("```samples ")
        for place, part in enumerate(parts[1:], start=1):
            name, _, rest = part.partition("\n```\n")
            parts[place] = f"{write_samples(name.strip(), site=site, model=model)}\n{rest}"
        return _describe_paths("".join(parts)).replace("](/", f"]({site}/")


def _describe_paths(text: str) -> str:
    parts = text.split("```path\n")
    for place, part in enumerate(parts[1:], start=1):
        lines, _, rest = part.partition("\n```\n")
        drawn = draw_path(lines)
        parts[place] = f"{drawn['caption'] or drawn['label']}\n{rest}"
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    pages: list[Page]


@cache
def load_groups() -> list[Group]:
    """Return the pages in the order of the side navigation."""
    pages = {path.stem: _read(path) for path in sorted(FOLDER.glob("*.md"))}
    pages |= {slug: Page(slug, title, lead, write()) for slug, (title, lead, write) in MADE.items()}
    groups = [
        Group(title, [page for slug in slugs if (page := pages.pop(slug, None))]) for title, slugs in GROUPS.items()
    ]
    groups[-1].pages.extend(pages.values())
    return groups


@cache
def load_pages() -> dict[str, Page]:
    """Return slug → page, in the same order."""
    return {page.slug: page for group in load_groups() for page in group.pages}


def neighbours(slug: str) -> tuple[Page | None, Page | None]:
    """Return the page before this one and the one behind it."""
    pages = list(load_pages().values())
    place = next(place for place, page in enumerate(pages) if page.slug == slug)
    return (pages[place - 1] if place else None, pages[place + 1] if place + 1 < len(pages) else None)


def _read(path: Path) -> Page:
    """Read a file that begins with a heading and a paragraph."""
    heading, _, rest = path.read_text(encoding="utf-8").partition("\n")
    lead, _, source = rest.strip().partition("\n\n")
    return Page(path.stem, heading.removeprefix("# ").strip(), " ".join(lead.split()), source)
