"""The console's first page: money, traffic, the latest requests, and a start for newcomers."""

from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest, membership_required
from accounts.models import APIKey, Membership
from billing import alerts, ledger, usage
from billing.breakdown import break_down
from billing.charts import choose_measure, draw_chart, list_groups
from billing.filters import UsageFilter
from billing.sums import add_up
from playground.samples import Sample, render_samples
from routing.models import Model
from routing.snapshot import served_models

LATEST = 8


@membership_required
@never_cache
@require_safe
def show(request: MemberRequest) -> HttpResponse:
    membership = request.membership
    latest = usage.list_records(membership=membership, size=LATEST).rows
    keys = APIKey.objects.visible_to(membership).filter(kind=APIKey.Kind.STANDARD, revoked_at=None)
    may_see_wallet = membership.role == Membership.Role.OWNER
    context = {
        "wallet": ledger.get_wallet(organization=membership.organization) if may_see_wallet else None,
        "spent": usage.sum_spent(membership=membership),
        "traffic": usage.count_traffic(membership=membership),
        "alerts": alerts.list_alerts(membership=membership),
        "latest": latest,
        **(_spend(membership) if latest else {}),
        "samples": [] if latest else _first_samples(),
        "newest_key": None if latest else keys.order_by("-created_at", "-pk").first(),
    }
    return render(request, "smartoken/dashboard.html", context)


def _spend(membership: Membership) -> dict[str, Any]:
    """Return what the last 30 days came to: by day and model as a chart, and by model."""
    zone = ZoneInfo(membership.organization.time_zone)
    breakdown = break_down(membership=membership, filters=UsageFilter())
    return {
        "chart": draw_chart(breakdown, {}, measure=choose_measure(breakdown), zone=zone),
        "total": add_up(sums for _, sums in breakdown.groups),
        "groups": list_groups(breakdown, {}, by="model", zone=zone),
    }


def _first_samples() -> list[Sample]:
    """Return the call that a newcomer copies: to the first model that is served."""
    model = Model.objects.filter(slug__in=served_models()).order_by("family__position", "slug").first()
    return render_samples(model=model.slug, base_url=settings.SMARTOKEN_URL) if model else []
