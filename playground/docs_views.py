"""The pages of the documentation, and looking for words in them."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from playground import docs
from playground.comparison import first_served
from playground.docs_search import search
from playground.samples import PLACEHOLDER, name_key
from routing import conformance

DESCRIPTION = "How to call the gateway, what it costs, and what its errors mean."
SHOWN_AT_ONCE = 6
"""Results below the field, while somebody types."""


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show all pages by group."""
    return render(request, "playground/docs/index.html", {"groups": docs.load_groups(), "description": DESCRIPTION})


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    found, where = _find(slug), _where()
    text, before_after = found.render(**where), docs.neighbours(slug)
    context: dict[str, Any] = {
        "page": found,
        "lead": found.render_lead(**where).html,
        "html": _with_key(text.html, request),
        "headings": [heading for heading in text.headings if heading.level in (2, 3)],
        "before": before_after[0],
        "after": before_after[1],
        "groups": docs.load_groups(),
        "description": found.lead.replace("`", "")[:155],
    }
    if slug == "conformance":
        context |= {"tables": conformance.list_tables(), "levels": conformance.LEVELS}
    return render(request, "playground/docs/page.html", context)


@require_safe
def markdown(request: HttpRequest, slug: str) -> HttpResponse:
    """Give a page as Markdown, for language models."""
    return HttpResponse(_find(slug).write(**_where()), content_type="text/markdown; charset=utf-8")


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Show the sections that hold the words of ?q=; to htmx the first few of them, for the list below the field."""
    asked = request.GET.get("q", "").strip()[:100]
    hits = search(asked)
    context: dict[str, Any] = {"asked": asked, "hits": hits, "groups": docs.load_groups(), "description": DESCRIPTION}
    is_part = "HX-Request" in request.headers
    if is_part:
        context |= {"hits": hits[:SHOWN_AT_ONCE], "more": len(hits) - SHOWN_AT_ONCE}
    response = render(request, f"playground/docs/{'_quick' if is_part else 'search'}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _find(slug: str) -> docs.Page:
    try:
        return docs.load_pages()[slug]
    except KeyError:
        raise Http404(f"There is no page {slug[:60]!r} in the documentation.") from None


def _where() -> dict[str, str]:
    return {"site": settings.SMARTOKEN_URL, "model": first_served()}


def _with_key(html: str, request: HttpRequest) -> str:
    """Name the reader's own key in the samples, as far as anybody but the reader knows it."""
    return mark_safe(html.replace(PLACEHOLDER, escape(name_key(getattr(request, "membership", None)))))  # noqa: S308
