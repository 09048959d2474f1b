"""Messages to the webhook: Stripe's own are taken, everybody else's change nothing."""

import json
import time

import pytest
from django.test import Client

from billing.models import LedgerEntry, PaymentEvent, TopUp
from tests.billing.payments import stripe_api
from tests.billing.payments.stripe_api import event, paid

PATH = "/payments/stripe/"
KINDS = ["checkout.session.completed", "checkout.session.expired", "charge.refunded", "charge.dispute.created"]


def post(body: str | bytes, signature: str | None):
    headers = {} if signature is None else {"Stripe-Signature": signature}
    return Client().post(PATH, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_its_secret_there_is_no_webhook(db, settings, method):
    settings.STRIPE_SECRET_KEY = stripe_api.KEY
    assert getattr(Client(), method)(PATH).status_code == 404


def test_it_takes_a_signed_event_without_session_or_token(deliver, make_order):
    order = make_order()
    body = json.dumps(paid(order))
    client = Client(enforce_csrf_checks=True)
    answer = client.post(
        PATH, body, content_type="application/json", headers={"Stripe-Signature": stripe_api.sign(body)}
    )
    assert answer.status_code == 200
    assert TopUp.objects.get().state == "paid"


def test_only_messages_that_are_sent_are_taken(db, configured):
    assert Client().get(PATH).status_code == 405


@pytest.mark.parametrize("signing", [{"secret": "whsec_of_somebody_else"}, {"at": time.time() - 400}])
def test_a_forged_or_old_event_changes_nothing(deliver, make_order, signing, caplog):
    order = make_order()
    assert deliver(paid(order), **signing).status_code == 400
    assert TopUp.objects.get().state == "open"
    assert not PaymentEvent.objects.exists()
    assert "is refused" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "signature",
    [None, "", "x", "t=1", "t=x,v1=y", "v1=" + "0" * 64, "t=9999999999,v1=é", "t=" + "9" * 5000 + ",v1=0", "=,=,="],
)
def test_what_is_no_signature_changes_nothing(configured, make_order, signature):
    assert post(json.dumps(paid(make_order())), signature).status_code == 400
    assert TopUp.objects.get().state == "open"


def test_an_event_that_was_altered_on_its_way_changes_nothing(configured, make_order):
    sent = paid(make_order())
    signature = stripe_api.sign(json.dumps(sent))
    sent["data"]["object"]["amount_total"] = 1
    assert post(json.dumps(sent), signature).status_code == 400
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "7", "{", "[" * 100_000, '{"id": 1}', '{"id": "evt_1", "type": "x"}',
        '{"id": "evt_1", "type": "x", "data": {"object": []}}',
        '{"id": "e\\u0000", "type": "x", "data": {"object": {}}}',
        json.dumps(event("x") | {"id": "e" * 71}),
    ],
)  # fmt: skip
def test_what_is_signed_but_no_event_is_refused(db, configured, body):
    assert post(body, stripe_api.sign(body)).status_code == 400


def test_bytes_that_are_no_text_are_refused(db, configured):
    assert post(b"\xff\xfe", stripe_api.sign("")).status_code == 400


def test_a_message_that_is_too_long_is_refused(db, configured):
    body = json.dumps(event("x", filler="x" * 300_000))
    assert post(body, stripe_api.sign(body)).status_code == 413


@pytest.mark.parametrize("kind", ["customer.created", "checkout.session.completed", "charge.refunded", "x" * 300])
def test_other_business_of_the_same_account_is_left_alone(deliver, make_order, caplog, kind):
    make_order()
    foreign = {"id": "cs_foreign", "payment_status": "paid", "payment_intent": "pi_foreign", "currency": "eur"}
    assert deliver(event(kind, **foreign, amount_refunded=5)).status_code == 200
    assert TopUp.objects.get().state == "open"
    assert not LedgerEntry.objects.exists()
    assert "ERROR" not in {record.levelname for record in caplog.records}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, 7, "", [], {}, {"id": []}, "\0", "x" * 9000])
def test_fields_of_another_shape_are_harmless(deliver, make_order, kind, value):
    make_order()
    names = ["id", "payment_intent", "currency", "amount", "amount_refunded", "metadata", "status"]
    sent = event(kind, **dict.fromkeys(names, value), payment_status="paid")
    assert deliver(sent).status_code == 200
    assert TopUp.objects.get().state == "open"
