"""The console's pages of usage, of one request, and of a month's statement."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.middleware import MemberRequest, membership_required, wallet_required
from accounts.models import APIKey, Membership
from billing import exports, ledger, statements
from billing import usage as records
from billing.attempts import read_attempts
from billing.breakdown import break_down
from billing.charts import choose_measure, draw_chart, list_groups, read_names
from billing.filters import PROBLEMS, UsageFilter
from billing.forms import UsageFilterForm, read_id
from billing.models import UsageRecord
from billing.receipt import SOURCES, explain_ending, write_receipt
from billing.sums import add_up
from routing.errors import ERRORS
from routing.models import Model, Provider


@membership_required
@never_cache
@vary_on_headers("HX-Request")
@require_safe
def usage(request: MemberRequest) -> HttpResponse:
    """List the requests, or groups of them, filtered by the address; ?id= leads to the one it names.

    To htmx, which asks when a filter has changed, it answers with the results alone.
    """
    if asked := request.GET.get("id", "").strip():
        id_ = read_id(asked)
        if id_ and UsageRecord.objects.visible_to(request.membership).filter(pk=id_).exists():
            return redirect("request", id_)
        if id_ and records.find_refused(membership=request.membership, request=id_):
            return redirect(f"{reverse('refused')}?id={id_}")
        messages.error(
            request, f"There is no request {asked[:80]} in your usage. Ids look like the one in x-request-id."
        )
    form = _filter_form(request)
    is_part = "HX-Request" in request.headers
    context = {"form": form, "asked": asked, "query": request.GET.urlencode(), "is_part": is_part}
    context |= _results(request, form)
    return render(request, "billing/_usage_results.html" if is_part else "billing/usage.html", context)


def _results(request: MemberRequest, form: UsageFilterForm) -> dict[str, Any]:
    is_valid = form.is_valid()
    filters, group = form.wanted(), form.cleaned_data.get("group", "")
    after = request.GET.get("after", "")
    order = form.cleaned_data.get("order", "")
    context = {"is_filtered": bool(filters) or not is_valid, "is_later_page": "after" in request.GET, "group": group}
    if not context["is_later_page"]:
        context |= _broken_down(request.membership, filters, group)
    if not group:
        context["page"] = records.list_records(membership=request.membership, filters=filters, after=after, order=order)
        refusals = records.count_refusals(membership=request.membership, key=filters.key)
        context["refusals"] = [{**row, "kind": ERRORS.get(row["code"])} for row in refusals]
    return context


def _broken_down(membership: Membership, filters: UsageFilter, group: str) -> dict[str, Any]:
    """Return the chart of what is filtered and, where it is asked for, the table of its groups."""
    zone, by = ZoneInfo(membership.organization.time_zone), "model" if group in ("", "day") else group
    breakdown = break_down(membership=membership, filters=filters, by=by)
    names = read_names(membership=membership, by=by, values=[value for value, _ in breakdown.groups])
    measure = "requests" if by == "status" or filters.status in PROBLEMS else choose_measure(breakdown)
    return {
        "breakdown": breakdown,
        "chart": draw_chart(breakdown, names, measure=measure, zone=zone),
        "total": add_up(sums for _, sums in breakdown.groups),
        "groups": list_groups(breakdown, names, by=group, zone=zone) if group else [],
    }


def _filter_form(request: MemberRequest) -> UsageFilterForm:
    models = list(Model.objects.order_by("family__position", "slug").values_list("slug", flat=True))
    return UsageFilterForm(request.GET, membership=request.membership, models=models)


@membership_required
@never_cache
@require_safe
def usage_csv(request: MemberRequest) -> HttpResponseBase:
    """Stream what the usage list shows with these filters, all of it."""
    form = _filter_form(request)
    if not form.is_valid():
        return redirect(f"{reverse('usage')}?{request.GET.urlencode()}")  # where each field says what is wrong
    return _stream(request, form.wanted(), "smartoken-usage.csv")


def _stream(request: MemberRequest, filters: UsageFilter, name: str) -> StreamingHttpResponse:
    return _answer_csv(exports.stream_records(membership=request.membership, filters=filters), name)


def _answer_csv(rows: AsyncIterator[bytes], name: str) -> StreamingHttpResponse:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8", headers=disposition)


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
        "refunded_nanos": ledger.sum_refunds(record=record),
        "attempts": attempts,
        "stations": [attempt.station for attempt in attempts],
        "ending": explain_ending(record),
        "source": SOURCES.get(record.count_source, ""),
    }
    return render(request, "billing/request.html", context)


@membership_required
@never_cache
@require_safe
def refused(request: MemberRequest) -> HttpResponse:
    """List the last hundred requests that were refused, each with its reason; ?key= those of one key, ?id= one."""
    if id_ := read_id(request.GET.get("id", "")):
        one = records.find_refused(membership=request.membership, request=id_)
        return render(request, "billing/refused.html", {"rows": [one] if one else [], "id": id_})
    asked = request.GET.get("key", "")
    key = None
    if asked:
        visible = APIKey.objects.visible_to(request.membership)
        key = get_object_or_404(visible, pk=int(asked) if asked.isdecimal() and len(asked) < 19 else 0)
    found = records.list_refused(membership=request.membership, key=key.pk if key else None)
    return render(request, "billing/refused.html", {"rows": found, "key": key})


@wallet_required
@never_cache
@require_safe
def statement_list(request: MemberRequest) -> HttpResponse:
    """List the months that have a statement."""
    months = statements.list_months(organization=request.membership.organization)
    return render(request, "billing/statements.html", {"months": months})


@wallet_required
@never_cache
@require_safe
def statement_page(request: MemberRequest, month: str) -> HttpResponse:
    """Show a month's statement, to read and to print."""
    statement = statements.make_statement(
        organization=request.membership.organization, month=_find_month(request, month)
    )
    tables = [
        ("Models", "model", statement.models),
        ("Keys", "name", statement.keys),
        ("Days", "day", statement.days),
    ]
    context = {
        "statement": statement,
        "tables": tables,
        "totals": statements.add_up(statement.models),
        "days_kept": settings.USAGE_DAYS,
    }
    return render(request, "billing/statement.html", context)


@wallet_required
@never_cache
@require_safe
def statement_csv(request: MemberRequest, month: str) -> HttpResponseBase:
    """Stream the requests behind a month's statement."""
    found = _find_month(request, month)
    filters = UsageFilter(since=found.starts_at, until=found.ends_at)
    return _stream(request, filters, f"smartoken-{found.name}.csv")


@wallet_required
@never_cache
@require_safe
def statement_entries_csv(request: MemberRequest, month: str) -> HttpResponseBase:
    """Stream the wallet's entries behind a month's statement."""
    found = _find_month(request, month)
    rows = exports.stream_entries(membership=request.membership, span=(found.starts_at, found.ends_at))
    return _answer_csv(rows, f"smartoken-{found.name}-wallet.csv")


def _find_month(request: MemberRequest, text: str) -> statements.Month:
    month = statements.read_month(text, ZoneInfo(request.membership.organization.time_zone))
    if month is None or month.starts_at > timezone.now():
        raise Http404(f"There is no month {text[:20]!r}.")
    return month
