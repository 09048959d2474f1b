"""What every page knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """The site's own address and whether people may sign up."""
    return {"SITE_URL": settings.SMARTOKEN_URL, "SIGNUP": settings.SIGNUP}
