import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts import attempts, people
from accounts.models import Membership
from billing import money
from billing.models import TopUp
from billing.payments import orders
from tests.billing.payments import stripe_api
from tests.billing.payments.stripe_api import StripeAPI


@pytest.fixture(autouse=True)
def no_attempts() -> None:
    attempts.forget_attempts()


@pytest.fixture
def owner(db: None) -> Membership:
    return people.ensure_member(email="ann@example.com")[0]


@pytest.fixture
def ann(owner: Membership) -> Client:
    client = Client()
    client.force_login(owner.user)
    return client


@pytest.fixture
def configured(settings: Any) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = stripe_api.KEY, stripe_api.SECRET


@pytest.fixture
def stripe(settings: Any, configured: None) -> Iterator[StripeAPI]:
    api = StripeAPI()
    settings.STRIPE_API_BASE = api.url
    yield api
    api.stop()


@pytest.fixture
def deliver(configured: None) -> Callable[..., HttpResponse]:
    """Send an event as Stripe does, signed with the endpoint's secret unless told otherwise."""

    def send(event: dict[str, Any], **signing: Any) -> HttpResponse:
        body = json.dumps(event)
        headers = {"Stripe-Signature": stripe_api.sign(body, **signing)}
        return Client().post("/payments/stripe/", body, content_type="application/json", headers=headers)

    return send


@pytest.fixture
def make_order(owner: Membership) -> Callable[..., TopUp]:
    """Make an order that waits to be paid; amounts in dollars."""

    def make(usd: int = 20) -> TopUp:
        nanos = usd * money.NANOS
        order = orders.open_order(organization=owner.organization, user=owner.user, nanos=nanos)
        orders.keep_session(order=order, session=f"cs_test_order_{order.pk}")
        order.refresh_from_db()
        return order

    return make
