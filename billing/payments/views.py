"""The wallet's page and what is sent from it, receipts, and where Stripe tells what was paid."""

import logging
from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts.middleware import MemberRequest, wallet_required
from billing import alerts, ledger, money, retention, usage
from billing.models import TopUp
from billing.payments import checkout, codes, events, orders, receipts
from billing.payments.forms import PayForm, RedeemForm
from billing.payments.messages import MAX_BYTES, MessageError, read_message

LOOK_AGAIN = timedelta(minutes=10)
"""How long the page of an order that is not confirmed yet looks again by itself."""

logger = logging.getLogger(__name__)


@wallet_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def wallet_page(request: MemberRequest) -> HttpResponse:
    """Show what may be spent, how to add to it, and every entry; take what is sent to add to it."""
    sent = request.POST.get("form")
    answer = _pay if sent == "pay" else _redeem if sent == "redeem" else _show_wallet
    # Chromium holds a form's redirect against the policy of the page that the form stands on.
    policy = settings.SECURE_CSP | {"form-action": ["'self'", *checkout.page_sources()]}
    response: HttpResponse = csp_override(policy)(answer)(request)
    return response


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


def _pay(request: MemberRequest) -> HttpResponse:
    form = PayForm(request.POST)
    if not form.is_valid():
        return _show_wallet(request, pay_form=form)
    try:
        url = checkout.start(
            organization=request.membership.organization,
            user=request.user,
            nanos=form.cleaned_data["usd"],
            address=request.META["REMOTE_ADDR"],
        )
    except (checkout.CheckoutError, orders.OrderError) as error:
        form.add_error(None, str(error))
        status = 429 if isinstance(error, checkout.TooManyOrdersError) else 503
        return _show_wallet(request, pay_form=form, status=status)
    return HttpResponse(status=303, headers={"Location": url})


def _show_wallet(
    request: MemberRequest,
    *,
    pay_form: PayForm | None = None,
    redeem_form: RedeemForm | None = None,
    status: int = 200,
) -> HttpResponse:
    wallet = ledger.get_wallet(organization=request.membership.organization)
    order = _find_order(request)
    if sent := pay_form or redeem_form:
        # What is wrong with it stands there, which may be below a phone's screen.
        next(iter(sent.fields.values())).widget.attrs["autofocus"] = True
    context = {
        "wallet": wallet,
        "alerts": alerts.list_alerts(membership=request.membership, kinds=[alerts.Kind.LOW_BALANCE]),
        "balance_nanos": (wallet.limit_nanos or 0) - wallet.spent_nanos,
        "can_pay": checkout.is_offered(),
        "pay_form": pay_form or PayForm(),
        "redeem_form": redeem_form or RedeemForm(),
        "order": order,
        "was_cancelled": "cancelled" in request.GET,
        "looks_again": _is_awaited(request, order),
        "has_receipts": TopUp.objects.visible_to(request.membership).filter(state=TopUp.State.PAID).exists(),
        "records_since": retention.read_kept_since(),
        "page": usage.list_entries(membership=request.membership, after=request.GET.get("after", "")),
        "is_later_page": "after" in request.GET,
    }
    return render(request, "billing/wallet.html", context, status=status)


def _find_order(request: MemberRequest) -> TopUp | None:
    """Return the order from whose payment page somebody comes back."""
    pk = request.GET.get("paid") or request.GET.get("cancelled") or ""
    return orders.find_order(membership=request.membership, pk=pk)


def _is_awaited(request: MemberRequest, order: TopUp | None) -> bool:
    if order is None or "paid" not in request.GET or order.state != TopUp.State.OPEN:
        return False
    return bool(timezone.now() - order.created_at < LOOK_AGAIN)


@wallet_required
@never_cache
@require_safe
def receipt_list(request: MemberRequest) -> HttpResponse:
    """List what was paid."""
    page = receipts.list_orders(membership=request.membership, after=request.GET.get("after", ""))
    return render(request, "billing/receipts.html", {"page": page, "is_later_page": "after" in request.GET})


@wallet_required
@never_cache
@require_safe
def receipt_page(request: MemberRequest, pk: int) -> HttpResponse:
    """Show the receipt of a paid order, to read and to print."""
    paid = TopUp.objects.visible_to(request.membership).filter(state=TopUp.State.PAID)
    order: TopUp = get_object_or_404(paid.select_related("organization", "user"), pk=pk)
    context = {
        "receipt": receipts.write_receipt(order=order),
        "remaining_nanos": order.amount_nanos - order.reversed_nanos,
        "operator": settings.OPERATOR,
    }
    return render(request, "billing/receipt.html", context)


@csrf_exempt
@never_cache
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Take an event; anything but 2xx makes Stripe send it again."""
    if not settings.STRIPE_WEBHOOK_SECRET:
        raise Http404
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        return HttpResponse(status=413)
    signature = request.headers.get("Stripe-Signature", "")
    try:
        message = read_message(body=body, signature=signature, secret=settings.STRIPE_WEBHOOK_SECRET)
    except MessageError as error:
        logger.warning("a message to %s is refused: %s", request.path, error)
        return HttpResponse(str(error), status=400, content_type="text/plain")
    events.apply_event(message)
    return HttpResponse()
