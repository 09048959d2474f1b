"""The pages of the documentation."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from playground import docs
from routing import conformance
from routing.errors import ERRORS
from smartoken.environment import SETTINGS


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List the pages; ?q= leaves those that hold these words."""
    pages = docs.load_pages()
    asked = request.GET.get("q", "").strip()[:100]
    found = docs.search(pages, asked) if asked else list(pages.values())
    return render(request, "playground/docs.html", {"pages": found, "asked": asked, "description": DESCRIPTION})


DESCRIPTION = "How to call the gateway, what it costs, and what its errors mean."


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    pages = docs.load_pages()
    found = pages.get(slug)
    if found is None:
        raise Http404(f"There is no page {slug[:60]!r} in the documentation.")
    context = {"page": found, "pages": pages.values(), "description": found.lead[:150], "canonical": request.path}
    context |= {"errors": ERRORS.items()} if slug == "errors" else {}
    context |= {"tables": conformance.list_tables(), "levels": conformance.LEVELS} if slug == "conformance" else {}
    context |= {"settings": SETTINGS} if slug == "settings" else {}
    return render(request, "playground/docs_page.html", context)
