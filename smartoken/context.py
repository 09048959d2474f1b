"""What every page knows."""

from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts import passkeys


def site(request: HttpRequest) -> dict[str, Any]:
    """The site's own address, this page's place on it, and what is set up here: sign-up, mail, texts, passkeys."""
    return {
        "SITE_URL": settings.SMARTOKEN_URL,
        "SIGNUP": settings.SIGNUP,
        "SIGNUP_DOMAINS": settings.SIGNUP_DOMAINS,
        "MAIL_CONFIGURED": settings.MAIL_CONFIGURED,
        "TERMS": bool(settings.TERMS),
        "SUPPORT": bool(settings.SUPPORT),
        "HAS_PASSKEYS": partial(passkeys.works_at, request),
        "canonical": request.path,
    }
