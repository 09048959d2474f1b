"""What Stripe sends to ``/payments/stripe/``: checked for its signature and read into plain values."""

import json
import re
from dataclasses import dataclass
from typing import Any

import stripe

MAX_BYTES = 256 * 1024
TOLERANCE_SECONDS = 300
ID = re.compile(r"[A-Za-z0-9_]{1,255}")
EVENT_ID = re.compile(r"[A-Za-z0-9_]{1,70}")
"""Shorter: it is part of a ledger entry's reference."""
MAX_CENTS = 10**12


class MessageError(ValueError):
    """A message that is not Stripe's, or not one that can be read."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event: its own id, its kind, and the object it is about, as Stripe sent it."""

    id: str
    kind: str
    data: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a field that holds a short text; empty where there is none."""
        value = self.data.get(name)
        return value if isinstance(value, str) and len(value) <= 255 else ""

    def id_of(self, name: str) -> str:
        """Return the id that a field holds, by itself or in the object that it was expanded to; empty for none."""
        value = self.data.get(name)
        value = value.get("id") if isinstance(value, dict) else value
        return value if isinstance(value, str) and ID.fullmatch(value) else ""

    def cents(self, name: str) -> int | None:
        """Return an amount in the currency's smallest unit; None for what can't be one."""
        value = self.data.get(name)
        return value if type(value) is int and 0 <= value <= MAX_CENTS else None

    def has_metadata(self, name: str) -> bool:
        value = self.data.get("metadata")
        return isinstance(value, dict) and name in value


def read_message(*, body: bytes, signature: str, secret: str) -> Message:
    """Return the event that Stripe signed with this secret, at most five minutes ago. Raises MessageError."""
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
    except (stripe.SignatureVerificationError, UnicodeDecodeError, TypeError):
        # TypeError: a signature of letters beyond ASCII can't be compared.
        raise MessageError("it is not signed with this endpoint's secret, or too old") from None
    try:
        event = json.loads(body)
        id_, kind, data = event["id"], event["type"], event["data"]["object"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise MessageError("it is no event") from None
    if (
        not isinstance(id_, str)
        or not EVENT_ID.fullmatch(id_)
        or not isinstance(kind, str)
        or not isinstance(data, dict)
    ):
        raise MessageError("it is no event")
    return Message(id_, kind[:100], data)
