"""The wallet's page and what is sent from it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.middleware import MemberRequest, wallet_required
from billing import ledger, money, usage
from billing.payments import codes
from billing.payments.forms import RedeemForm


@wallet_required
@never_cache
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
