"""The console's pages of usage and of one request."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest, membership_required
from billing import usage as records
from billing.forms import UsageFilterForm, read_id
from billing.models import UsageRecord
from billing.receipt import SOURCES, explain_ending, read_attempts, write_receipt
from routing.errors import ERRORS
from routing.models import Model, Provider


@membership_required
@never_cache
@require_safe
def usage(request: MemberRequest) -> HttpResponse:
    """List the requests, filtered by the address; ?id= leads to the one it names."""
    if asked := request.GET.get("id", "").strip():
        id_ = read_id(asked)
        if id_ and UsageRecord.objects.visible_to(request.membership).filter(pk=id_).exists():
            return redirect("request", id_)
        messages.error(
            request, f"There is no request {asked[:80]} in your usage. Ids look like the one in x-request-id."
        )
    models = list(Model.objects.order_by("family__position", "slug").values_list("slug", flat=True))
    form = UsageFilterForm(request.GET, membership=request.membership, models=models)
    is_valid = form.is_valid()
    filters = form.lookups()
    page = records.list_records(membership=request.membership, filters=filters, after=request.GET.get("after", ""))
    refusals = records.count_refusals(membership=request.membership)
    context = {
        "form": form,
        "is_filtered": bool(filters) or not is_valid,
        "page": page,
        "is_later_page": "after" in request.GET,
        "refusals": [{**row, "kind": ERRORS.get(row["code"])} for row in refusals],
        "asked": asked,
    }
    return render(request, "billing/usage.html", context)


@membership_required
@never_cache
@require_safe
def request_page(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Show one request: who answered, what was counted, what it cost and why."""
    visible = UsageRecord.objects.visible_to(request.membership).select_related("key", "price", "user")
    record: UsageRecord = get_object_or_404(visible, pk=pk)
    attempts = read_attempts(record)
    context = {
        "record": record,
        "kind": ERRORS.get(record.error_code),
        "provider": Provider.objects.filter(slug=record.provider).first(),
        "receipt": write_receipt(record),
        "attempts": attempts,
        "stations": [attempt.station for attempt in attempts],
        "ending": explain_ending(record),
        "source": SOURCES.get(record.count_source, ""),
    }
    return render(request, "billing/request.html", context)
