"""The public pages of the model families: the comparison, and a page for each."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from playground import facts, traffic
from playground.comparison import CONTEXTS, RATINGS, ModelRow, Question, list_rows, served_names
from playground.samples import render_preview, render_samples
from playground.texts import find_texts
from routing import conformance
from smartoken.templatetags.page import tokens


def model_list(request: HttpRequest) -> HttpResponse:
    """Compare the families; order and filters live in the address."""
    rows = list_rows()
    question = Question.read(request.GET)
    context = {
        "rows": question.answer(rows),
        "total": len(rows),
        "served": served_names(rows),
        "question": question,
        "columns": question.columns(),
        "contexts": CONTEXTS,
        "ratings": RATINGS,
        "description": f"{len(rows)} Chinese model families compared: context, price per 1M tokens in USD, ratings.",
    }
    return render(request, "playground/models.html", context)


def model_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one family as an API route."""
    rows = list_rows()
    row = next((row for row in rows if row.family.slug == slug), None)
    if row is None:
        raise Http404(f"There is no model family {slug!r}.")
    return render(request, "playground/model.html", _page_context(row, rows))


def _page_context(row: ModelRow, rows: list[ModelRow]) -> dict[str, object]:
    routes = facts.read_routes(row.model, is_served=row.is_served)
    return {
        "row": row,
        "family": row.family,
        "model": row.model,
        "rows": rows,
        "served": served_names(rows),
        "routes": routes,
        "node": routes.node(row.family),
        "texts": find_texts(row.family),
        "conformance": conformance.list_halves(row.family.slug),
        "traffic": traffic.last_day(row.model.slug),
        "preview": render_preview(row),
        "samples": render_samples(model=row.model.slug, base_url=settings.SMARTOKEN_URL),
        "description": f"Call {row.family.name} by {row.family.company} with the OpenAI SDK: price per 1M tokens "
        f"in USD, {tokens(row.model.context_length)} context, code in cURL, Python and TypeScript.",
    }
