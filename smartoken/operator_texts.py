"""The operator's own texts, terms and support: a Markdown file shown in the site's frame, or an address led to."""

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from playground.docs_markdown import render as render_markdown


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    return _show(request, "Terms", settings.TERMS)


@require_safe
def support(request: HttpRequest) -> HttpResponse:
    return _show(request, "Support", settings.SUPPORT)


def _show(request: HttpRequest, title: str, place: str) -> HttpResponse:
    """Show the text at this place; its own first heading takes the title's."""
    if not place:
        raise Http404(f"The operator of this site has written no page {title.lower()!r}.")
    if "://" in place:
        return redirect(place)
    source = Path(place).read_text(encoding="utf-8").strip()
    if source.startswith("# "):
        first, _, source = source.partition("\n")
        title = first.removeprefix("# ").strip()
    html = render_markdown(source, site=settings.SMARTOKEN_URL, model="").html
    description = f"{title} of this site."
    return render(request, "smartoken/operator_text.html", {"title": title, "html": html, "description": description})
