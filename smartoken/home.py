"""The first page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static

from playground.comparison import list_rows, served_names
from playground.samples import name_key, render_preview, render_samples


def home(request: HttpRequest) -> HttpResponse:
    """Say what the site does, with the first served family as the example."""
    rows = list_rows()
    served = [row for row in rows if row.is_served]
    row = next(iter(served or rows), None)
    context: dict[str, Any] = {
        "rows": rows,
        "row": row,
        "served": served_names(rows),
        "description": "One API key for Chinese language models: an OpenAI-compatible gateway with budgets per "
        "day and month, prices in US dollars and a ledger you can check.",
    }
    if row:
        context["nodes"] = [
            {"name": row.family.company, "note": "priority 1 · weight 70", "state": "taken"},
            {"name": "Another provider", "note": "priority 1 · weight 30"},
            {"name": "Fallback", "note": "priority 2"},
        ]
        context["preview"] = render_preview(row)
        context["samples"] = render_samples(
            model=row.model.slug,
            base_url=settings.SMARTOKEN_URL,
            key=name_key(getattr(request, "membership", None), family=row.family.slug),
        )
    return render(request, "smartoken/home.html", context)


def favicon(request: HttpRequest) -> HttpResponse:
    """Lead those who ask at the old address to the icon that every page names."""
    return redirect(static("img/favicon.svg"))
