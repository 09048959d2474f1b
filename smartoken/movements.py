"""The admin's pages that move money: one form and one way through it, whatever the movement.

Nothing happens but on POST; the ledger makes a form that is sent twice happen once.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import ledger, money
from billing.models import LedgerEntry
from smartoken.admin import RowAdmin, show_form


@dataclass(frozen=True, slots=True)
class Movement:
    """A kind of movement in words. ``done`` follows the amount: ``granted to``; ``note`` says what it means."""

    title: str
    submit: str
    done: str
    note: str
    is_signed: bool = False


GRANT = Movement("Grant credit", "Grant", "granted to", "Credit that nobody paid for.")
ADJUST = Movement(
    "Adjust",
    "Adjust",
    "adjusted for",
    "Mends a mistake: a positive amount adds, a negative one takes away, below 0 if need be.",
    is_signed=True,
)
PAYOUT = Movement(
    "Payout",
    "Write payout",
    "paid out of",
    "Writes down what goes back to the card, at most what is available. Send the money itself through the bank. "
    "A refund made in Stripe needs nothing here: its reversal follows by itself.",
)
REVERSE = Movement(
    "Reverse",
    "Reverse",
    "taken back from",
    "Writes down what the bank took back. The balance may become negative; then calls are refused until it is not. "
    "Refunds and disputes in Stripe are written down by themselves.",
)
REFUND = Movement("Refund", "Refund", "refunded for", "Gives the charge or a part of it back, as credit.")


class MovementForm(forms.Form):
    """How much and why; ``usd`` becomes nano-dollars. The reference makes a second click harmless."""

    usd = forms.CharField(label="Amount in US dollars", max_length=30, widget=UnfoldAdminTextInputWidget)
    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Shown in the ledger.")
    reference = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, is_signed: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_signed = is_signed

    def clean_usd(self) -> int:
        try:
            return money.parse_usd(self.cleaned_data["usd"], allow_zero=False, allow_negative=self.is_signed)
        except money.AmountError as error:
            raise ValidationError(str(error)) from None


def move_money(
    page: RowAdmin,
    request: HttpRequest,
    row: Model,
    movement: Movement,
    write: Callable[..., LedgerEntry],
    *,
    fact: str,
    amount: str = "",
) -> HttpResponse:
    """Ask on GET, call ``write`` (nanos, actor, reason, reference) on POST, then show the row's page.

    ``fact`` is what is known of the money, ``amount`` what the form proposes in US dollars.
    """
    initial = {"reference": uuid.uuid4(), "usd": amount}
    form = MovementForm(request.POST or None, initial=initial, is_signed=movement.is_signed)
    if form.is_valid():
        given = form.cleaned_data
        try:
            write(
                nanos=given["usd"],
                actor=request.user.get_username(),
                reason=given["reason"],
                reference=str(given["reference"]),
            )
        except ledger.LedgerError as error:
            form.add_error(None, str(error))
        else:
            done = f"{money.format_exact(given['usd'])} {movement.done} {row}"
            page.log_change(request, row, f"{done}: {given['reason']}")
            messages.success(request, f"{done}.")
            return redirect(f"admin:{page.opts.app_label}_{page.opts.model_name}_change", row.pk)
    fact = f"{movement.note} Now: {fact}"
    return show_form(page, request, row, form, title=movement.title, submit=movement.submit, fact=fact)
