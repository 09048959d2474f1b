"""Stripe Checkout: the one module that calls Stripe."""

import logging
import re
import time
from urllib.parse import urlsplit

import stripe
from django.conf import settings
from django.urls import reverse
from stripe.params.checkout import SessionCreateParams

from accounts.attempts import AttemptLimit, count_attempt
from accounts.models import Organization, User
from billing.models import TopUp
from billing.payments import orders
from billing.payments.messages import ID

CONNECT_SECONDS, ANSWER_SECONDS = 5, 15
NETWORK_RETRIES = 1
SESSION_SECONDS = 3600
STRIPE_PAGES = "https://*.stripe.com"
PAY_LIMIT = AttemptLimit("pay", per_user=20, per_address=60)

logger = logging.getLogger(__name__)


class CheckoutError(Exception):
    """Nobody can pay this order; nothing was charged. The message is for people."""


class TooManyOrdersError(CheckoutError):
    """This person or address has started so many payments that none is started for a while."""

    def __init__(self) -> None:
        super().__init__("Too many payments were started from here. Nothing was charged: wait ten minutes.")


def is_offered() -> bool:
    """Tell whether people can pay by card: without the webhook's secret nobody would hear that they did."""
    return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET)


def page_sources() -> list[str]:
    """Return where a form may lead that pays, as sources of a content policy."""
    if not is_offered():
        return []
    return [STRIPE_PAGES, *([settings.STRIPE_API_BASE] if settings.STRIPE_API_BASE else [])]


def start(*, organization: Organization, user: User, nanos: int, address: str) -> str:
    """Open an order and return the address of the page on which it is paid.

    Raises OrderError for an amount that can't be ordered, CheckoutError where Stripe gives no page.
    """
    if not is_offered():
        raise CheckoutError("No way to pay is set up here: ask the operator for credit.")
    if not count_attempt(PAY_LIMIT, user=user, address=address):
        raise TooManyOrdersError
    order = orders.open_order(organization=organization, user=user, nanos=nanos)
    try:
        session, url = _create_session(order)
    except CheckoutError:
        orders.close_order(order=order)
        raise
    orders.keep_session(order=order, session=session)
    return url


def _create_session(order: TopUp) -> tuple[str, str]:
    """Return the new session's id and the address of its page."""
    client = stripe.RequestsClient(timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
    try:
        answer = _connect(client).v1.checkout.sessions.create(
            _describe(order), {"idempotency_key": f"top-up-{order.pk}-{order.created_at.timestamp()}"}
        )
    except stripe.StripeError as error:
        logger.error("Stripe gave no page for top-up %d: %s", order.pk, _explain(error))
        raise CheckoutError(
            "The payment could not be started: Stripe does not answer as it should. Nothing was charged; "
            "try again in a minute, and tell the operator if it stays so."
        ) from None
    finally:
        client.close()  # type: ignore[no-untyped-call]
    session = answer.to_dict()
    id_, url = str(session.get("id") or ""), str(session.get("url") or "")
    if not ID.fullmatch(id_) or not _is_trusted(url):
        logger.error("Stripe's page for top-up %d lies at an address that is not Stripe's", order.pk)
        raise CheckoutError("The payment could not be started. Nothing was charged; please tell the operator.")
    return id_, url


def _connect(client: stripe.HTTPClient) -> stripe.StripeClient:
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else None,
        max_network_retries=NETWORK_RETRIES,
        http_client=client,
    )


def _explain(error: stripe.StripeError) -> str:
    """Return what an operator needs to find the cause; the error's own text may quote what was sent."""
    facts = {"status": error.http_status, "code": error.code, "request": error.request_id}
    return ", ".join([type(error).__name__, *(f"{name} {value}" for name, value in facts.items() if value)])


def _describe(order: TopUp) -> SessionCreateParams:
    wallet = settings.SMARTOKEN_URL + reverse("wallet")
    mark = {"smartoken_top_up": str(order.pk)}
    return {
        "mode": "payment",
        "client_reference_id": str(order.pk),
        "metadata": mark,
        "payment_intent_data": {"metadata": mark, "description": f"SmarToken top-up {order.pk}"},
        "customer_email": order.user.email,
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": order.currency,
                    "unit_amount": order.cents,
                    "product_data": {"name": f"SmarToken credit for {order.organization}"},
                },
            }
        ],
        # What is paid must be what was ordered, not its worth in another currency.
        "adaptive_pricing": {"enabled": False},
        "expires_at": int(time.time()) + SESSION_SECONDS,
        "success_url": f"{wallet}?paid={order.pk}",
        "cancel_url": f"{wallet}?cancelled={order.pk}",
    }


def _is_trusted(url: str) -> bool:
    parts = urlsplit(url)
    if settings.STRIPE_API_BASE and f"{parts.scheme}://{parts.netloc}" == settings.STRIPE_API_BASE:
        return True
    return parts.scheme == "https" and bool(re.fullmatch(r"([a-z0-9-]+\.)+stripe\.com", parts.netloc))
