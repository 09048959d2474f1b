"""The wallet's page and what is sent from it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.middleware import MemberRequest, membership_required
from accounts.models import Membership
from billing import ledger, money, usage
from billing.payments import codes
from billing.payments.forms import RedeemForm


def wallet_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who may see the organization's money: its owner and admins."""

    @membership_required
    @never_cache
    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.membership.role == Membership.Role.MEMBER:
            return render(request, "billing/wallet_closed.html", status=403)
        return view(request, *args, **kwargs)

    return guarded


@wallet_required
@require_http_methods(["GET", "HEAD", "POST"])
def wallet_page(request: MemberRequest) -> HttpResponse:
    """Show what may be spent, how to add to it, and every entry; take what is sent to add to it."""
    if request.method == "POST":
        return _redeem(request)
    return _show_wallet(request)


def _redeem(request: MemberRequest) -> HttpResponse:
    form = RedeemForm(request.POST)
    if not form.is_valid():
        return _show_wallet(request, redeem_form=form)
    try:
        code = codes.redeem_code(
            text=form.cleaned_data["code"],
            organization=request.membership.organization,
            user=request.user,
            address=request.META["REMOTE_ADDR"],
        )
    except (codes.CodeError, ledger.LedgerError) as error:
        form.add_error("code", str(error))
        status = 429 if isinstance(error, codes.TooManyCodesError) else 200
        return _show_wallet(request, redeem_form=form, status=status)
    messages.success(request, f"The code is redeemed: {money.format_usd(code.amount_nanos)} went into the wallet.")
    return redirect("wallet")


def _show_wallet(request: MemberRequest, *, redeem_form: RedeemForm | None = None, status: int = 200) -> HttpResponse:
    wallet = ledger.get_wallet(organization=request.membership.organization)
    context = {
        "wallet": wallet,
        "balance_nanos": (wallet.limit_nanos or 0) - wallet.spent_nanos,
        "redeem_form": redeem_form or RedeemForm(),
        "page": usage.list_entries(membership=request.membership, after=request.GET.get("after", "")),
        "is_later_page": "after" in request.GET,
    }
    return render(request, "billing/wallet.html", context, status=status)
