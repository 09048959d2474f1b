"""Receipts for credit that was paid for: one for each paid order, with what became of it since."""

from dataclasses import dataclass

from django.db.models import Q

from accounts.models import Membership
from accounts.pages import PAGE, Page, page_by_id
from billing.models import LedgerEntry, TopUp
from billing.payments.events import name_entry


@dataclass(frozen=True, slots=True)
class Receipt:
    """A paid order, the entry that credited it, and those that took of it or gave back since."""

    order: TopUp
    entry: LedgerEntry | None
    later: list[LedgerEntry]


def list_orders(*, membership: Membership, after: str = "") -> Page:
    """Return a page of the paid orders, newest first."""
    orders = TopUp.objects.visible_to(membership).filter(state=TopUp.State.PAID).select_related("user")
    return page_by_id(orders, after, size=PAGE)


def write_receipt(*, order: TopUp) -> Receipt:
    """Return what a paid order's receipt tells."""
    name = name_entry(order)
    kinds = [LedgerEntry.Kind.CREDIT, LedgerEntry.Kind.REVERSAL]
    named = LedgerEntry.objects.filter(Q(reference=name) | Q(reference__startswith=f"{name}:"), kind__in=kinds)
    entries = list(named.filter(organization=order.organization_id).order_by("pk"))
    first = next((entry for entry in entries if entry.reference == name), None)
    return Receipt(order, first, [entry for entry in entries if entry is not first])
