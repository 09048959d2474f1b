"""What every page knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """The site's own address, this page's place on it, who may sign up, whether mail is sent and texts are set."""
    return {
        "SITE_URL": settings.SMARTOKEN_URL,
        "SIGNUP": settings.SIGNUP,
        "SIGNUP_DOMAINS": settings.SIGNUP_DOMAINS,
        "MAIL_CONFIGURED": settings.MAIL_CONFIGURED,
        "TERMS": bool(settings.TERMS),
        "SUPPORT": bool(settings.SUPPORT),
        "canonical": request.path,
    }
