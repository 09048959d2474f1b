"""What becomes of people's texts: who receives them, what is kept, and for how long."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing import idempotency, retention
from playground.comparison import list_rows
from routing import reasoning
from routing.models import Family, Route


@dataclass(frozen=True, slots=True)
class Receivers:
    """A served family, and the companies that may receive what is sent to it: name → country."""

    family: Family
    companies: dict[str, str]


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    receivers = list_receivers()
    context: dict[str, Any] = {
        "receivers": receivers,
        "companies": [row for row in receivers if row.companies],
        "demo": [row.family.name for row in receivers if not row.companies],
        "nodes": [{"name": "The model's provider", "note": "named below", "state": "taken"}],
        "answers_hours": round(idempotency.KEPT.total_seconds() / 3600),
        "reasoning_minutes": reasoning.KEPT_SECONDS // 60,
        "usage_days": settings.USAGE_DAYS,
        "playground_days": settings.PLAYGROUND_DAYS,
        "refusal_days": retention.REFUSALS_KEPT.days,
        "session_days": settings.SESSION_COOKIE_AGE // 86400,
        "pays_by_card": bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET),
        "operator": settings.OPERATOR,
        "has_redis": bool(settings.REDIS_URL),
        "description": "What this site keeps of prompts and answers, who receives them, and for how long.",
    }
    return render(request, "smartoken/privacy.html", context)


def list_receivers() -> list[Receivers]:
    """Return who may receive the text of each served family, in the order in which routes are tried."""
    companies: dict[str, dict[str, str]] = defaultdict(dict)
    routes = Route.objects.filter(enabled=True).order_by("priority", "-weight", "pk")
    names = ("pool__model__slug", "upstream__provider__name", "upstream__provider__country")
    for model, name, country in routes.values_list(*names):
        companies[model].setdefault(name, country)
    return [Receivers(row.family, companies[row.model.slug]) for row in list_rows() if row.is_served]
