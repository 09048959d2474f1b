"""Adding credit with a real browser: to Stripe's page and back, past the content policy."""

import json

import pytest

from billing.models import TopUp
from billing.payments import codes, orders
from tests.billing.payments import stripe_api
from tests.billing.payments.conftest import configured, no_attempts, stripe  # noqa: F401
from tests.browser.conftest import STATIC_FILES
from tests.browser.test_pages import assert_fits

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]


def send(http_client, site, event):
    """Tell the site of an event, as Stripe does."""
    body = json.dumps(event)
    headers = {"Stripe-Signature": stripe_api.sign(body), "Content-Type": "application/json"}
    assert http_client.post(f"{site.url}/payments/stripe/", content=body, headers=headers).status_code == 200


def test_a_payment_goes_to_stripe_and_comes_back(open_page, member, stripe, site, http_client):  # noqa: F811
    page = open_page(membership=member, width=360)
    page.goto("/console/wallet/")
    page.get_by_label("Amount in USD").fill("20")
    page.get_by_role("button", name="Pay with Stripe").click()
    page.get_by_role("heading", name="Stripe's page").wait_for()
    order = TopUp.objects.get()
    assert page.url == f"{stripe.url}/c/pay/{order.session}"
    page.goto(f"{site.url}/console/wallet/?paid={order.pk}")
    page.get_by_text("is being confirmed").wait_for()
    send(http_client, site, stripe_api.paid(order))
    page.get_by_text("Paid: $20.00 went into the wallet.").wait_for()


def test_a_code_is_redeemed_on_a_phone(open_page, member, site):
    [code] = codes.make_codes(count=1, nanos=25 * 10**9, batch="fair", created_by="test")
    page = open_page(membership=member, width=360)
    page.goto("/console/wallet/")
    page.get_by_role("textbox", name="Code").fill(code.lower())
    page.get_by_role("button", name="Redeem").click()
    page.get_by_text("$25.00 went into the wallet.").wait_for()


@pytest.mark.parametrize("width", [360, 1440])
def test_the_wallet_fits_when_a_payment_failed(open_page, member, stripe, width):  # noqa: F811
    stripe.answer = (400, '{"error": {"message": "no"}}')
    page = open_page(
        membership=member,
        width=width,
        expected="Failed to load resource: the server responded with a status of 503 (Service Unavailable)",
    )
    assert_fits(page, "/console/wallet/")
    page.get_by_label("Amount in USD").fill("20")
    page.get_by_role("button", name="Pay with Stripe").click()
    page.get_by_text("The payment could not be started").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1440])
def test_receipts_fit(open_page, member, site, http_client, stripe, width):  # noqa: F811
    order = orders.open_order(organization=member.organization, user=member.user, nanos=20 * 10**9)
    orders.keep_session(order=order, session=f"cs_test_{width}_" + "x" * 60)
    order.refresh_from_db()
    for sent in (stripe_api.paid(order), stripe_api.refunded(order, 500)):
        send(http_client, site, sent)
    page = open_page(membership=member, width=width)
    for path in ("/console/receipts/", f"/console/receipts/{order.pk}/"):
        assert_fits(page, path)
    page.emulate_media(media="print")
    assert not page.locator(".masthead, .side, .footer").filter(visible=True).count()
