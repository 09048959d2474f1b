"""The public pages of prices: what models cost, a calculator, and how prices changed."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from billing.pricing import coming_prices
from playground.changes import list_days
from playground.comparison import list_rows, served_names
from playground.estimates import Workload, cheapest_first, estimate
from playground.forms import WorkloadForm


def prices(request: HttpRequest) -> HttpResponse:
    """Show every price, and what the workload in the address would cost with each model."""
    fields = WorkloadForm.base_fields
    asked = {name: request.GET.get(name, field.initial) for name, field in fields.items()}
    form = WorkloadForm(asked)
    workload = None
    if form.is_valid():
        data = form.cleaned_data
        workload = Workload.of(
            input=data["input"], cached_percent=data["cached"], output=data["output"], requests=data["requests"]
        )
    rows, coming = list_rows(), coming_prices()
    estimates = [estimate(row, workload, coming=coming.get(row.model.slug)) for row in rows]
    by_cost = request.GET.get("sort") == "cost"
    context = {
        "form": form,
        "estimates": cheapest_first(estimates) if by_cost else estimates,
        "by_cost": by_cost,
        "sort_href": _turn_sort(request, by_cost),
        "workload": workload,
        "total": len(rows),
        "served": served_names(rows),
        "canonical": request.path,
        "description": "Input, cached and output prices of Chinese language models in US dollars per 1M tokens, "
        "with a calculator for your own workload.",
    }
    return render(request, "playground/pricing.html", context)


def _turn_sort(request: HttpRequest, by_cost: bool) -> str:
    """Return the address that asks for the other order of the same workload."""
    asked = request.GET.copy()
    asked.pop("sort", None)
    if not by_cost:
        asked["sort"] = "cost"
    return f"?{asked.urlencode()}"


def changes(request: HttpRequest) -> HttpResponse:
    """Tell which models came and how their prices changed, the latest first."""
    context = {
        "days": list_days(),
        "canonical": request.path,
        "description": "Which models came to this site and how their prices changed, by date.",
    }
    return render(request, "playground/changes.html", context)
