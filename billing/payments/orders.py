"""Orders for credit: opened before anything is asked of Stripe, closed when nothing was paid."""

from django.db import transaction

from accounts.models import Membership, Organization, User
from billing import money
from billing.models import TopUp

CURRENCY = "usd"
MIN_CENTS = 5_00
MAX_CENTS = 10_000_00


class OrderError(ValueError):
    """An order that can't be made; the message is for people."""


def read_cents(nanos: int) -> int:
    """Return the cents of an amount that can be ordered. Raises OrderError."""
    cents, rest = divmod(nanos, money.CENT)
    if rest or not MIN_CENTS <= cents <= MAX_CENTS:
        least, most = (f"${limit // 100:,}" for limit in (MIN_CENTS, MAX_CENTS))
        raise OrderError(f"Write an amount in whole cents from {least} to {most}.")
    return cents


@transaction.atomic(durable=True)
def open_order(*, organization: Organization, user: User, nanos: int) -> TopUp:
    """Commit an order for this credit. Raises OrderError."""
    return TopUp.objects.create(
        organization=organization, user=user, cents=read_cents(nanos), currency=CURRENCY, amount_nanos=nanos
    )


def keep_session(*, order: TopUp, session: str) -> None:
    """Tie the order to the one Checkout Session that can pay it."""
    TopUp.objects.filter(pk=order.pk, session=None).update(session=session)


def close_order(*, order: TopUp) -> None:
    """Close an order that nobody can pay any more; a paid one stays paid."""
    TopUp.objects.filter(pk=order.pk, state=TopUp.State.OPEN).update(state=TopUp.State.CLOSED)


def find_order(*, membership: Membership, pk: str) -> TopUp | None:
    """Return the organization's order with this number, in whatever way it is written."""
    if not (pk.isdecimal() and len(pk) < 19):
        return None
    order: TopUp | None = TopUp.objects.visible_to(membership).filter(pk=int(pk)).first()
    return order
