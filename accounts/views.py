"""The console's pages of keys, settings and the audit log, and where a new account waits for its confirmation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from allauth.account.views import EmailVerificationSentView
from django.conf import settings as site_settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import audit, members, rotation
from accounts import keys as api_keys
from accounts.adapter import CONFIRMATION_LINK
from accounts.forms import HandOverForm, KeyForm, OrganizationForm, ProfileForm, RotateForm
from accounts.middleware import MemberRequest, audit_required, membership_required
from accounts.models import APIKey, Membership
from accounts.pages import page_by_id
from accounts.people import rename_user
from billing import alerts, budgets, usage
from billing.models import RefusalCount, UsageRecord
from billing.money import format_usd
from playground.samples import Sample, render_samples
from routing.models import Family, Model
from routing.snapshot import served_models
from smartoken.changes import describe_entry, list_changes


@never_cache
def verification_sent(request: HttpRequest) -> HttpResponseBase:
    """Say that a mail is on its way, or show its link where the site sends none."""
    context = {"confirmation_link": request.session.get(CONFIRMATION_LINK, "")}
    return EmailVerificationSentView.as_view(extra_context=context)(request)


# --- keys --------------------------------------------------------------------


@membership_required
@never_cache
@require_safe
def keys(request: MemberRequest) -> HttpResponse:
    """List the keys in use, or with ?revoked=1 those that ended; ?q= names a part of them."""
    visible = APIKey.objects.visible_to(request.membership)
    with_revoked, asked = "revoked" in request.GET, request.GET.get("q", "").strip()[:100]
    found = api_keys.search_keys(visible.filter(revoked_at__isnull=not with_revoked), asked)
    found = found.select_related("created_by")
    page = page_by_id(found.annotate(used_at=usage.last_used()), request.GET.get("after", ""))
    context = {
        "page": page,
        "is_later_page": "after" in request.GET,
        "asked": asked,
        "rows": _key_rows(page.rows),
        "with_revoked": with_revoked,
        "revoked": visible.filter(revoked_at__isnull=False).count(),
        "alerts": alerts.list_alerts(membership=request.membership, kinds=alerts.BUDGET_KINDS),
    }
    return render(request, "accounts/keys.html", context)


def _key_rows(found: Sequence[APIKey]) -> list[dict[str, Any]]:
    spending = usage.read_budgets(keys=found)
    names = dict(Family.objects.values_list("slug", "name"))
    served = _served_families()
    return [
        {
            "key": key,
            "families": [names.get(slug, slug) for slug in key.families],
            "is_served": bool(served.intersection(key.families) if key.families else served),
            "budgets": list(zip(("today", "month"), spending[key.pk], strict=True)),
            "is_spent": any(budget.left == 0 for budget in spending[key.pk]),
        }
        for key in found
    ]


def _served_families() -> set[str]:
    return set(Model.objects.filter(slug__in=served_models()).values_list("family__slug", flat=True))


@membership_required
@never_cache
def new_key(request: MemberRequest) -> HttpResponse:
    """Make a key; the answer to the form is the one page that shows its secret."""
    organization = request.membership.organization
    form = KeyForm(request.POST or None, zone=ZoneInfo(organization.time_zone))
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = api_keys.create_key(organization=organization, created_by=request.user, **form.key_fields())
        except api_keys.KeyInputError as error:
            form.add_error(None, str(error))
        else:
            context = {"key": key, "secret": secret, "samples": _samples(key, secret)}
            return render(request, "accounts/key_created.html", context)
    return render(request, "accounts/key_form.html", {"form": form})


def _samples(key: APIKey, secret: str) -> list[Sample]:
    """Return the first call with this key, to a served model it may use."""
    models = Model.objects.filter(slug__in=served_models()).order_by("family__position", "slug")
    if key.families:
        models = models.filter(family__slug__in=key.families)
    model = models.first()
    return render_samples(model=model.slug, base_url=site_settings.SMARTOKEN_URL, key=secret) if model else []


@membership_required
@never_cache
def edit_key(request: MemberRequest, pk: int) -> HttpResponse:
    """Change a key: in force within a second, its budgets also for the current day and month."""
    key = _find_key(request, pk)
    form = KeyForm(request.POST or None, zone=ZoneInfo(request.membership.organization.time_zone), key=key)
    if request.method == "POST" and not key.revoked_at and form.is_valid():
        try:
            budgets.update_key(key=key, actor=request.user.email, **form.key_fields())
        except api_keys.KeyInputError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"“{key.name}” is changed; that holds from now on.")
            return redirect("keys")
    day, month = usage.read_budgets(keys=[key])[key.pk]
    is_served = not key.families or bool(_served_families().intersection(key.families))
    context = {"form": form, "key": key, "day": day, "month": month, "is_served": is_served}
    return render(request, "accounts/key_form.html", context)


@membership_required
@never_cache
def revoke_key(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then end a key for good."""
    key = _find_key(request, pk, kind=APIKey.Kind.STANDARD)
    if request.method == "POST":
        api_keys.revoke_key(key=key, actor=request.user.email)
        messages.success(request, f"“{key.name}” is revoked: calls with it are refused from now on.")
        return redirect("keys")
    return render(request, "accounts/key_revoke.html", {"key": key})


@membership_required
@never_cache
def rotate_key(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask how long the old secret is to work, then show a new one, once; or end the old one now."""
    key = _find_key(request, pk, kind=APIKey.Kind.STANDARD, revoked_at=None)
    if request.method == "POST" and "end" in request.POST:
        rotation.end_grace(key=key, actor=request.user.email)
        messages.success(request, f"The old secret of “{key.name}” is refused from now on.")
        return redirect("key", pk)
    form = RotateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            secret = rotation.rotate_key(key=key, grace=form.chosen, actor=request.user.email)
        except api_keys.KeyInputError as error:
            form.add_error(None, str(error))
        else:
            context = {"key": key, "secret": secret, "samples": _samples(key, secret), "is_rotated": True}
            return render(request, "accounts/key_created.html", context)
    return render(request, "accounts/key_rotate.html", {"key": key, "form": form})


@membership_required
@never_cache
def hand_over_key(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask to whom, then let another member answer for a key."""
    key = _find_key(request, pk, kind=APIKey.Kind.STANDARD, revoked_at=None)
    if request.membership.role == Membership.Role.MEMBER:
        raise PermissionDenied("Only owners and admins can hand keys over.")
    form = HandOverForm(request.POST if request.method == "POST" else None, key=key)
    if form.is_valid():
        heir = form.cleaned_data["heir"]
        try:
            members.hand_over_key(key=key, heir=heir, actor=request.user.email)
        except members.MemberError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{heir.user} answers for “{key.name}” from now on.")
            return redirect("key", pk)
    return render(request, "accounts/key_hand_over.html", {"key": key, "form": form})


@membership_required
@never_cache
@require_safe
def first_call(request: MemberRequest, pk: int) -> JsonResponse:
    """Tell the page that waits for a key's first call what has arrived."""
    key = _find_key(request, pk)
    if record := usage.first_record(key=key, since=_read_since(request.GET.get("since", ""))):
        return JsonResponse({"received": _describe(record), "url": reverse("request", args=[record.pk])})
    refusal = RefusalCount.objects.filter(key=key).order_by("-minute").first()
    return JsonResponse({"refused": refusal.code if refusal else ""})


def _read_since(text: str) -> datetime | None:
    """Return the time after which a call counts as the first: a new secret's key may have had calls before."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and found.tzinfo else None


def _describe(record: UsageRecord) -> str:
    tokens = record.input_tokens + record.output_tokens
    return f"{record.total_ms / 1000:.1f} s, {tokens:,} tokens, {format_usd(record.charge_nanos)}"


def _find_key(request: MemberRequest, pk: int, **lookups: Any) -> APIKey:
    key: APIKey = get_object_or_404(APIKey.objects.visible_to(request.membership), pk=pk, **lookups)
    return key


# --- settings ----------------------------------------------------------------


@membership_required
@never_cache
def settings(request: MemberRequest) -> HttpResponse:
    """Show and change the person's name and, for the owner, the organization."""
    is_owner = request.membership.role == Membership.Role.OWNER
    sent = request.POST.get("form") if request.method == "POST" else None
    if sent == "organization" and not is_owner:
        raise PermissionDenied("Only the owner can change the organization.")
    # Bound forms write into their row while they are checked: not into the one that the page shows.
    organization = type(request.membership.organization).objects.get(pk=request.membership.organization_id)
    profile = ProfileForm(request.POST if sent == "profile" else None, instance=request.user, prefix="profile")
    of_organization = OrganizationForm(
        request.POST if sent == "organization" else None, instance=organization, prefix="organization"
    )
    if profile.is_bound and profile.is_valid():
        rename_user(user=request.user, name=profile.cleaned_data["name"])
    elif of_organization.is_bound and of_organization.is_valid():
        members.update_organization(organization=organization, actor=request.user.email, **of_organization.cleaned_data)
    else:
        context = {"profile": profile, "of_organization": of_organization, "is_owner": is_owner}
        return render(request, "accounts/settings.html", context)
    messages.success(request, "Saved.")
    return redirect("settings")


@audit_required
@never_cache
@require_safe
def audit_log(request: MemberRequest) -> HttpResponse:
    """Show what was changed in the organization, by whom, and the values before and after."""
    page = audit.list_entries(membership=request.membership, after=request.GET.get("after", ""))
    context = {
        "page": page,
        "entries": [(entry, describe_entry(entry), list_changes(entry)) for entry in page.rows],
        "is_later_page": "after" in request.GET,
    }
    return render(request, "accounts/audit.html", context)
