"""What ``manage.py check`` says about paying by card."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning


def check_stripe(**kwargs: Any) -> list[CheckMessage]:
    """Warn where a key is set and nothing comes of it."""
    if not settings.STRIPE_SECRET_KEY or settings.STRIPE_WEBHOOK_SECRET:
        return []
    return [
        Warning(
            "STRIPE_SECRET_KEY is set without STRIPE_WEBHOOK_SECRET: paying by card is not offered.",
            hint=f"Nobody would hear what was paid. Make a webhook endpoint for {settings.SMARTOKEN_URL}"
            "/payments/stripe/ in Stripe and set its signing secret.",
            id="billing.W001",
        )
    ]
