"""The public pages of models: the table of all, and one page each."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def models(request: HttpRequest) -> HttpResponse:
    """Compare all families; order and filters are in the address."""
    return render(request, "playground/models.html")


def model(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one family as an API route."""
    return render(request, "playground/model.html")
