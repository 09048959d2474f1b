"""The public pages of the model families: the comparison, and a page for each."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from playground import facts, status, traffic
from playground.comparison import ABILITIES, ModelRow, compare, list_rows, served_names
from playground.question import CHOICES, ORDERS, Question
from playground.samples import name_key, render_preview, render_samples
from playground.texts import find_texts
from routing import conformance
from routing.models import Pool
from smartoken.templatetags.page import price, tokens


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
        "orders": ORDERS,
        "choices": CHOICES,
        "abilities": [(name, word, name in question.needs) for name, word in ABILITIES],
        "description": f"{len(rows)} Chinese model families compared: context, price per 1M tokens in USD, ratings.",
    }
    return render(request, "playground/models.html", context)


def model_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one family as an API route."""
    rows = list_rows()
    row = next((row for row in rows if row.family.slug == slug), None)
    if row is None:
        raise Http404(f"There is no model family {slug!r}.")
    key = name_key(getattr(request, "membership", None), family=slug)
    context = _page_context(row, rows) | _calls(row, key)
    if request.user.is_staff:
        context["pool"] = Pool.objects.filter(model=row.model).first()
    return render(request, "playground/model.html", context)


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
        "texts": find_texts(row, list_figures(row)),
        "standing": compare(row, rows),
        "conformance": conformance.list_halves(row.family.slug),
        "traffic": traffic.last_day(row.model.slug),
        "is_down": row.is_served and row.model.slug in status.find_down(),
        "description": f"Call {row.family.name} by {row.family.company} with the OpenAI SDK: price per 1M tokens "
        f"in USD, {tokens(row.model.context_length)} context, code in cURL, Python and TypeScript.",
    }


def _calls(row: ModelRow, key: str) -> dict[str, object]:
    samples = render_samples(model=row.model.slug, base_url=settings.SMARTOKEN_URL, key=key)
    return {"preview": render_preview(row), "samples": samples, "key": key}


def list_figures(row: ModelRow) -> dict[str, str]:
    """Return the figures that a family's texts may name in braces."""
    asked = row.price
    return {
        "context": tokens(row.model.context_length),
        "longest": f"{row.model.max_output_tokens:,}",
        "input": price(asked.input_micros if asked else None),
        "output": price(asked.output_micros if asked else None),
        "reasoning": f"{row.family.reasoning} of 5",
        "coding": f"{row.family.coding} of 5",
    }
