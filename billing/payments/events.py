"""What Stripe's events do to orders and wallets: each once, in whatever order they arrive.

An order is credited when its own session says that it was paid, with the amount and currency
that were ordered; anything else is an alarm. What refunds and disputes claim of a payment is
kept by itself, so that a refund heard of before its payment is taken back all the same.
"""

from django.db import transaction

from billing import ledger, money, rows
from billing.alarms import alarm
from billing.models import PaymentClaim, PaymentEvent, TopUp
from billing.payments.messages import Message
from billing.payments.orders import CURRENCY, close_order

ACTOR = "stripe"
PAID = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
UNPAID = ("checkout.session.expired", "checkout.session.async_payment_failed")
DISPUTED = ("charge.dispute.created", "charge.dispute.funds_withdrawn")


def name_entry(order: TopUp) -> str:
    """Return the reference of the entry that credits an order; later ones add a colon and their event's id."""
    return f"topup:{order.pk}"


def apply_event(message: Message) -> None:
    """Do what an event asks for; a repeated one does nothing, one of another kind neither."""
    with transaction.atomic():
        problem = _apply(message)
        if problem:
            PaymentEvent.objects.update_or_create(id=message.id, defaults={"kind": message.kind, "problem": problem})
    if problem:
        # A name of its own for each, since of one name only one mail an hour goes out.
        alarm(f"payment {message.id}"[:33], f"Stripe's event {message.id}, {message.kind}: {problem}")


def _apply(message: Message) -> str:
    """Return what a person must look at; nothing where all is well."""
    if message.kind in PAID and message.text("payment_status") == "paid":
        return _pay(message)
    if message.kind in UNPAID:
        return _close(message)
    if message.kind == "charge.refunded":
        return _claim(message, source=PaymentClaim.REFUNDS, cents=message.cents("amount_refunded"))
    if message.kind in DISPUTED and not message.text("status").startswith("warning_"):
        # A warning only asks; nothing is withdrawn until it turns into a dispute.
        return _claim(message, source=message.id_of("id"), cents=message.cents("amount"))
    if message.kind == "charge.dispute.funds_reinstated":
        return _claim(message, source=message.id_of("id"), cents=message.cents("amount"), is_over=True)
    if message.kind == "refund.failed" and TopUp.objects.filter(payment=message.id_of("payment_intent")).exists():
        # What was refunded in all is not told here, so a person has to look.
        return "a refund failed; give its credit back by an adjustment"
    return ""


@transaction.atomic
def _pay(message: Message) -> str:
    session, payment = message.id_of("id"), message.id_of("payment_intent")
    if not TopUp.objects.filter(session=session).exists():
        is_foreign = not message.has_metadata("smartoken_top_up")
        return "" if is_foreign else "a session was paid that belongs to no top-up here; nothing is credited"
    if payment:
        _lock_payment(payment)
    order = _lock_order(session)
    if not _note(message, order):
        return ""
    if problem := _find_mismatch(message, order):
        return f"top-up {order.pk} is not credited: {problem}"
    if order.state == TopUp.State.PAID:
        return ""
    order.state, order.paid_at, order.payment = TopUp.State.PAID, rows.read_clock(), payment or None
    order.save(update_fields=["state", "paid_at", "payment"])
    ledger.credit(
        organization=order.organization,
        nanos=order.amount_nanos,
        actor=ACTOR,
        reason=f"Top-up {order.pk}",
        reference=name_entry(order),
    )
    _take_back(order, message)
    return ""


def _find_mismatch(message: Message, order: TopUp) -> str:
    """Return in what the session differs from its order; nothing where it doesn't."""
    if message.text("client_reference_id") != str(order.pk):
        return "the session names another order"
    if message.text("currency").lower() != order.currency:
        return "it was paid in another currency"
    if message.cents("amount_total") != order.cents:
        return "another amount was paid"
    return ""


@transaction.atomic
def _close(message: Message) -> str:
    session = message.id_of("id")
    if TopUp.objects.filter(session=session).exists():
        order = _lock_order(session)
        if _note(message, order):
            close_order(order=order)
    return ""


@transaction.atomic
def _claim(message: Message, *, source: str, cents: int | None, is_over: bool = False) -> str:
    """Keep what a refund or dispute claims of a payment, and take it back where that is ours."""
    payment = message.id_of("payment_intent")
    if not payment or not source or cents is None:
        return ""  # a charge that no session made
    _lock_payment(payment)
    order = TopUp.objects.select_for_update().filter(payment=payment).first()
    if not _note(message, order):
        return ""
    if message.text("currency").lower() != CURRENCY:
        return f"top-up {order.pk} is claimed in another currency; reverse it by hand" if order else ""
    claim, _ = PaymentClaim.objects.get_or_create(payment=payment, source=source)
    # Sums only grow and a dispute that is over stays so: an event that comes late changes nothing.
    claim.cents, claim.is_over = max(claim.cents, cents), claim.is_over or is_over
    claim.save(update_fields=["cents", "is_over"])
    if order:
        _take_back(order, message)
    return ""


def _take_back(order: TopUp, message: Message) -> None:
    """Make the reversals of an order equal what is claimed of its payment, at most what was credited."""
    if not order.payment:
        return
    claims = PaymentClaim.objects.filter(payment=order.payment, is_over=False)
    claimed = min(order.amount_nanos, sum(claim.cents for claim in claims) * money.CENT)
    change = claimed - order.reversed_nanos
    if not change:
        return
    write, why = (ledger.reverse, "taken back") if change > 0 else (ledger.credit, "given back: the dispute was won")
    write(
        organization=order.organization,
        nanos=abs(change),
        actor=ACTOR,
        reason=f"Top-up {order.pk} {why}",
        reference=f"{name_entry(order)}:{message.id}",
    )
    order.reversed_nanos = claimed
    order.save(update_fields=["reversed_nanos"])


def _lock_payment(payment: str) -> None:
    """Take turns with all other events of this payment, heard of before or not."""
    PaymentClaim.objects.bulk_create([PaymentClaim(payment=payment)], ignore_conflicts=True)
    PaymentClaim.objects.select_for_update().get(payment=payment, source=PaymentClaim.REFUNDS)


def _lock_order(session: str) -> TopUp:
    order: TopUp = TopUp.objects.select_for_update().get(session=session)
    return order


def _note(message: Message, order: TopUp | None) -> bool:
    """Write down that this event is worked through; false where it was before."""
    columns = ("id", "kind", "top_up_id", "problem", "received_at")
    values = (message.id, message.kind, order.pk if order else None, "", rows.read_clock())
    return bool(rows.insert("billing_paymentevent", columns, [values], returning="id"))
