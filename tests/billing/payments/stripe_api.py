"""A stand-in for Stripe's API at the edge of the network, and events as Stripe signs them."""

import itertools
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import stripe

from billing.models import TopUp

KEY = "sk_test_canary7f3a"
SECRET = "whsec_canary9b1c"
numbers = itertools.count(1)


class StripeAPI:
    """Answers each call with a new Checkout Session, or with what ``answer`` says: (status, body)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answer: tuple[int, str] | None = None
        self.on_call: Callable[[], Any] = lambda: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _handler(api) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                api.calls.append((self.path, dict(self.headers), dict(parse_qsl(body))))
                api.on_call()
                status, text = api.answer or (200, json.dumps(api.new_session()))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_GET(self) -> None:
                page = b"<!doctype html><title>Pay</title><h1>Stripe's page</h1>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    def new_session(self) -> dict[str, str]:
        id_ = f"cs_test_{next(numbers)}"
        return {"id": id_, "object": "checkout.session", "url": f"{self.url}/c/pay/{id_}"}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"id": f"evt_{next(numbers)}", "object": "event", "type": kind, "data": {"object": data}}


def paid(order: TopUp, kind: str = "completed", **changed: Any) -> dict[str, Any]:
    """Return the event of an order that was paid."""
    session = {
        "id": order.session,
        "object": "checkout.session",
        "client_reference_id": str(order.pk),
        "metadata": {"smartoken_top_up": str(order.pk)},
        "amount_total": order.cents,
        "currency": "usd",
        "payment_status": "paid",
        "payment_intent": payment_of(order),
    }
    return event(f"checkout.session.{kind}", **session | changed)


def payment_of(order: TopUp) -> str:
    return f"pi_order_{order.pk}"


def refunded(order: TopUp, cents: int, **changed: Any) -> dict[str, Any]:
    """Return the event of a charge of which this much has been refunded in all."""
    charge = {"id": "ch_1", "payment_intent": payment_of(order), "currency": "usd", "amount": order.cents}
    return event("charge.refunded", **charge | {"amount_refunded": cents} | changed)


def dispute(order: TopUp, kind: str = "created", cents: int | None = None, **changed: Any) -> dict[str, Any]:
    """Return an event of a dispute over the order's payment."""
    amount = order.cents if cents is None else cents
    data = {"id": "dp_1", "payment_intent": payment_of(order), "currency": "usd", "amount": amount}
    return event(f"charge.dispute.{kind}", **data | {"status": "needs_response"} | changed)


def sign(body: str, *, secret: str = SECRET, at: float | None = None) -> str:
    return stripe.WebhookSignature.generate_signature_header(body, secret, int(at or time.time()))
