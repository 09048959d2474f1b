"""The Playground's page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


@login_required
def show(request: HttpRequest) -> HttpResponse:
    """Show the Playground."""
    return render(request, "console.html")
