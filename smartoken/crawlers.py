"""What programs read of the site: robots.txt, sitemap.xml, and llms.txt for language models."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.contrib.sitemaps.views import sitemap as draw_sitemap
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from playground.comparison import list_rows
from playground.docs import load_groups, load_pages
from playground.docs_markdown import fill

CLOSED = ("console", "accounts", "admin", "playground", "setup", "docs/search")
"""Folders with nothing for strangers to find."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page's path on the site, and when what it shows last changed, where that is known."""

    path: str
    changed_at: datetime | None = None


class Pages(Sitemap):
    """Each public page at the site's one public address, whatever host was asked."""

    def items(self) -> list[Place]:
        return list(list_places())

    def location(self, item: Place) -> str:
        return item.path

    def lastmod(self, item: Place) -> datetime | None:
        return item.changed_at

    def get_domain(self, site: object = None) -> str:
        return urlsplit(settings.SMARTOKEN_URL).netloc

    def get_protocol(self, protocol: str | None = None) -> str:
        return urlsplit(settings.SMARTOKEN_URL).scheme


def list_places() -> Iterator[Place]:
    """Return the pages that anyone may read: a model's page changes with its price."""
    rows = list_rows()
    latest = max((row.price.starts_at for row in rows if row.price), default=None)
    yield Place(reverse("home"))
    for name in ("models", "pricing", "changelog"):
        yield Place(reverse(name), latest)
    for row in rows:
        yield Place(reverse("model", args=[row.family.slug]), row.price.starts_at if row.price else None)
    yield Place(reverse("docs"))
    for slug in load_pages():
        yield Place(reverse("docs_page", args=[slug]))
    texts = {"terms": settings.TERMS, "support": settings.SUPPORT}
    for name in ("status", "privacy", *(name for name, text in texts.items() if text)):
        yield Place(reverse(name))


@require_safe
def sitemap(request: HttpRequest) -> HttpResponse:
    return draw_sitemap(request, {"pages": Pages})


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    lines = ["User-agent: *", *(f"Disallow: /{folder}/" for folder in CLOSED)]
    text = "\n".join([*lines, "", f"Sitemap: {settings.SMARTOKEN_URL}{reverse('sitemap')}", ""])
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
def llms(request: HttpRequest) -> HttpResponse:
    """Tell a language model what is here: the models with their prices, and each page of the docs as Markdown."""
    rows = list_rows()
    site = settings.SMARTOKEN_URL
    first = next((row.model.slug for row in rows if row.is_served), "deepseek")
    groups = [
        (group.title, [(page, " ".join(fill(page.lead, site=site, model=first).split())) for page in group.pages])
        for group in load_groups()
    ]
    context = {"rows": rows, "groups": groups}
    return render(request, "smartoken/llms.txt", context, content_type="text/plain; charset=utf-8")
