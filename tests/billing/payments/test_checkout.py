"""Paying by card as far as this site goes: to Stripe's page, and what it shows to those who come back."""

import logging
from html import unescape

import pytest
from django.db import connection
from django.test import Client

from accounts import attempts, people
from accounts.models import Membership, User
from billing.models import LedgerEntry, TopUp
from billing.payments import checkout
from billing.payments.checks import check_stripe
from tests.billing.payments import stripe_api

WALLET = "/console/wallet/"
NOT_SET_UP = "No way to pay is set up here: ask the operator"
FAILURES = {
    "down": (500, "{}"),
    "wrong key": (
        401,
        '{"error": {"type": "invalid_request_error", "message": "Invalid API Key: sk_test_canary7f3a"}}',
    ),
    "refused": (400, '{"error": {"type": "invalid_request_error", "message": "no", "param": "currency"}}'),
    "no JSON": (200, "<html>"),
    "empty": (200, "{}"),
    "no page": (200, '{"id": "cs_1", "object": "checkout.session", "url": null}'),
    "elsewhere": (200, '{"id": "cs_1", "object": "checkout.session", "url": "https://stripe.com.example.net/pay"}'),
    "hidden": (200, '{"id": "cs_1", "object": "checkout.session", "url": "https://a.stripe.com@example.net/"}'),
    "backslash": (200, '{"id": "cs_1", "object": "checkout.session", "url": "https://example.net\\\\.stripe.com/"}'),
    "plain": (200, '{"id": "cs_1", "object": "checkout.session", "url": "http://checkout.stripe.com/pay"}'),
    "script": (200, '{"id": "cs_1", "object": "checkout.session", "url": "javascript:alert(1)"}'),
}


def text(response) -> str:
    return unescape(response.content.decode())


def pay(client, usd="20"):
    return client.post(WALLET, {"form": "pay", "usd": usd})


@pytest.mark.parametrize("names", [[], ["STRIPE_SECRET_KEY"]])
def test_without_both_secrets_nothing_of_it_is_shown(ann, settings, names):
    for name in names:
        setattr(settings, name, stripe_api.KEY)
    assert NOT_SET_UP in text(ann.get(WALLET))
    assert "Stripe" not in text(ann.get(WALLET))
    assert NOT_SET_UP.partition(":")[0] in text(pay(ann))
    assert not TopUp.objects.exists()


def test_a_key_alone_is_warned_of(settings):
    settings.STRIPE_SECRET_KEY = stripe_api.KEY
    [warning] = check_stripe()
    assert "paying by card is not offered" in warning.msg
    settings.STRIPE_WEBHOOK_SECRET = stripe_api.SECRET
    assert check_stripe() == []


def test_an_order_leads_to_stripes_page(ann, owner, stripe, settings):
    answer = pay(ann, "20.50")
    order = TopUp.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"{stripe.url}/c/pay/{order.session}")
    assert (order.state, order.cents, order.currency, order.amount_nanos) == ("open", 2050, "usd", 20_500_000_000)
    [(path, headers, sent)] = stripe.calls
    assert path == "/v1/checkout/sessions"
    assert headers["Authorization"] == f"Bearer {stripe_api.KEY}"
    assert headers["Idempotency-Key"].startswith(f"top-up-{order.pk}-")
    price = "line_items[0][price_data]"
    assert (sent[f"{price}[unit_amount]"], sent[f"{price}[currency]"], sent["mode"]) == ("2050", "usd", "payment")
    assert sent["client_reference_id"] == sent["metadata[smartoken_top_up]"] == str(order.pk)
    assert sent["success_url"] == f"{settings.SMARTOKEN_URL}{WALLET}?paid={order.pk}"
    assert sent["cancel_url"] == f"{settings.SMARTOKEN_URL}{WALLET}?cancelled={order.pk}"
    assert not LedgerEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_stripe_is_asked_outside_of_any_transaction(ann, stripe):
    seen = []

    def look() -> None:
        seen.extend(TopUp.objects.values_list("state", "session"))
        connection.close()

    stripe.on_call = look
    pay(ann)
    assert seen == [("open", None)]


@pytest.mark.parametrize("usd", ["", "4.99", "10000.01", "5.001", "-20", "NaN", "ten", "1e9", "5 0", "12,50", "1,0000"])
def test_an_amount_that_cannot_be_paid_is_refused(ann, stripe, usd):
    answer = pay(ann, usd)
    assert 'aria-invalid="true"' in text(answer)
    assert not stripe.calls
    assert not TopUp.objects.exists()


@pytest.mark.parametrize("usd", ["5", "10,000", "1,234.50", "$20"])
def test_amounts_are_read_as_people_write_them(ann, stripe, usd):
    assert pay(ann, usd).status_code == 303


@pytest.mark.parametrize("failure", FAILURES)
def test_where_stripe_fails_nothing_is_owed(ann, stripe, failure, monkeypatch, caplog):
    monkeypatch.setattr(checkout, "NETWORK_RETRIES", 0)
    stripe.answer = FAILURES[failure]
    with caplog.at_level(logging.DEBUG):
        answer = pay(ann)
    assert answer.status_code == 503
    assert "The payment could not be started" in text(answer)
    assert "Nothing was charged" in text(answer)
    assert TopUp.objects.get().state == "closed"
    assert not LedgerEntry.objects.exists()
    assert "ERROR" in {record.levelname for record in caplog.records}
    assert "canary" not in caplog.text + text(answer)


def test_where_nobody_listens_nothing_is_owed(ann, stripe, settings, monkeypatch):
    monkeypatch.setattr(checkout, "NETWORK_RETRIES", 0)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert "The payment could not be started" in text(pay(ann))
    assert TopUp.objects.get().state == "closed"


def test_a_call_that_is_sent_again_makes_one_session(ann, stripe):
    stripe.answer = (500, "{}")
    stripe.on_call = lambda: len(stripe.calls) > 1 and setattr(stripe, "answer", None)
    assert pay(ann).status_code == 303
    assert len({headers["Idempotency-Key"] for _, headers, _ in stripe.calls}) == 1


def test_payments_are_not_started_without_end(ann, stripe, monkeypatch):
    monkeypatch.setattr(checkout, "PAY_LIMIT", attempts.AttemptLimit("pay", per_user=1, per_address=9))
    assert pay(ann).status_code == 303
    answer = pay(ann)
    assert answer.status_code == 429
    assert "wait ten minutes" in text(answer)
    assert TopUp.objects.count() == 1


def test_a_plain_member_cannot_pay(owner, stripe):
    user = User.objects.create_user("mia@example.com")
    Membership.objects.create(user=user, organization=owner.organization, role="member")
    client = Client()
    client.force_login(user)
    assert pay(client).status_code == 403
    assert not TopUp.objects.exists()


def test_the_wallets_form_alone_may_lead_to_stripe(ann, stripe, settings):
    assert "form-action 'self' https://*.stripe.com" in ann.get(WALLET)["Content-Security-Policy"]
    assert "stripe" not in ann.get("/console/keys/")["Content-Security-Policy"]
    settings.STRIPE_WEBHOOK_SECRET = ""
    assert "stripe" not in ann.get(WALLET)["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("query", "state", "said"),
    [
        ("paid", "open", "is being confirmed"),
        ("paid", "paid", "Paid: $20.00 went into the wallet."),
        ("paid", "closed", "did not go through"),
        ("cancelled", "open", "Nothing was charged."),
        ("cancelled", "closed", "Nothing was charged."),
        ("cancelled", "paid", "Paid: $20.00 went into the wallet."),
    ],
)
@pytest.mark.usefixtures("configured")
def test_who_comes_back_is_told_what_became_of_it(ann, make_order, query, state, said):
    order = make_order()
    TopUp.objects.filter(pk=order.pk).update(state=state)
    page = text(ann.get(WALLET, {query: order.pk}))
    assert said in page
    assert ('http-equiv="refresh"' in page) == (query == "paid" and state == "open")


@pytest.mark.parametrize("pk", ["0", "x", "9" * 30, "-1", ""])
def test_an_order_that_is_not_there_is_not_told_of(ann, pk):
    page = ann.get(WALLET, {"paid": pk})
    assert page.status_code == 200
    assert 'role="status"' not in text(page)


def test_another_organizations_order_is_not_told_of(make_order, db):
    order = make_order()
    client = Client()
    client.force_login(people.ensure_member(email="eve@example.com")[0].user)
    assert "being confirmed" not in text(client.get(WALLET, {"paid": order.pk}))
