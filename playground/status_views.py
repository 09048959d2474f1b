"""The page of how the served models do."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from playground import status


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show each served model over the last 24 hours and 90 days."""
    statuses = status.read_status()
    sentence, state = status.describe(statuses)
    context = {
        "statuses": statuses,
        "sentence": sentence,
        "state": state,
        "now": timezone.now(),
        "description": "How each model on this site did over the last 24 hours and 90 days, from real requests.",
    }
    return render(request, "playground/status.html", context)
