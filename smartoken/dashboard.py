"""The console's first page: money, traffic, the latest requests, and a start for newcomers."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest, membership_required
from accounts.models import APIKey, Membership
from billing import alerts, ledger, usage
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
    may_see_wallet = membership.role != Membership.Role.MEMBER
    context = {
        "wallet": ledger.get_wallet(organization=membership.organization) if may_see_wallet else None,
        "spent": usage.sum_spent(membership=membership),
        "traffic": usage.count_traffic(membership=membership),
        "alerts": alerts.list_alerts(membership=membership),
        "latest": latest,
        "samples": [] if latest else _first_samples(),
        "newest_key": None if latest else keys.order_by("-created_at", "-pk").first(),
    }
    return render(request, "smartoken/dashboard.html", context)


def _first_samples() -> list[Sample]:
    """Return the call that a newcomer copies: to the first model that is served."""
    model = Model.objects.filter(slug__in=served_models()).order_by("family__position", "slug").first()
    return render_samples(model=model.slug, base_url=settings.SMARTOKEN_URL) if model else []
