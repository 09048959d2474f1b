"""The first page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def show(request: HttpRequest) -> HttpResponse:
    """Say what the site is for, with a row for every family."""
    return render(request, "smartoken/home.html")
