"""Keys of organizations: for calls, and for programs that manage."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from accounts import keys, management_keys
from accounts.models import APIKey, ManagementKey
from billing import money
from billing.models import Limit, UsageRecord
from smartoken.admin import ReadOnlyAdmin, link_to, link_to_list, show_form

KEY_TABLES = ((UsageRecord, "usage"), (Limit, "budget windows"))


@admin.register(APIKey)
class APIKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "prefix", "organization", "created_by", "kind", "state", "created_at")
    list_select_related = ("organization", "created_by")
    ordering = ("-pk",)
    search_help_text = "The beginning of a key, an organization's number or a whole e-mail address"
    search_fields = ("pk",)
    readonly_fields = fields = (
        "name",
        "prefix",
        "kind",
        "state",
        "owner",
        "created_by",
        "family_names",
        "daily_budget",
        "monthly_budget",
        "requests_per_minute",
        "addresses",
        "may_see_wallet",
        "expires_at",
        "revoked_at",
        "previous_prefix",
        "previous_until",
        "created_at",
        "rows",
    )
    actions_detail: Any = ("revoke",)

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.isdecimal():
            return queryset.filter(organization=int(term[:18]))
        if "@" in term:
            return queryset.filter(created_by__email=term.lower())
        # Somebody may paste a whole key: only what is stored of it is looked at.
        return queryset.filter(prefix=term[: len(keys.PREFIX) + 4])

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    @display(description="organization")
    def owner(self, row: APIKey) -> str:
        return link_to(row.organization)

    @display(description="families")
    def family_names(self, row: APIKey) -> str:
        return ", ".join(row.families) or "all"

    @display(description="allowed addresses")
    def addresses(self, row: APIKey) -> str:
        return ", ".join(row.allowed_addresses) or "all"

    def daily_budget(self, row: APIKey) -> str:
        return "none" if row.daily_budget_nanos is None else money.format_exact(row.daily_budget_nanos)

    def monthly_budget(self, row: APIKey) -> str:
        return "none" if row.monthly_budget_nanos is None else money.format_exact(row.monthly_budget_nanos)

    @display(description="belongs to it")
    def rows(self, row: APIKey) -> SafeString:
        links = [link_to_list(model, text, key__id__exact=row.pk) for model, text in KEY_TABLES]
        return format_html_join(" · ", "{}", ((link,) for link in links))

    @action(description="Revoke", url_path="revoke", permissions=["revoke"], icon="block")
    def revoke(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """End the key for good: a question on GET, the deed on POST."""
        key = self.get_object(request, str(object_id))
        if key is None:
            raise Http404
        if request.method != "POST":
            fact = "The key stops working within a second, for good. Answers that are running are cut."
            return show_form(self, request, key, forms.Form(), title="Revoke key", submit="Revoke", fact=fact)
        keys.revoke_key(key=key, actor=request.user.get_username())
        self.log_change(request, key, "Revoked.")
        messages.success(request, f"{key} is revoked.")
        return redirect("admin:accounts_apikey_change", object_id)


@admin.register(ManagementKey)
class ManagementKeyAdmin(ReadOnlyAdmin):
    """To look at: its owner revokes it in the console, and it ends with that person's membership."""

    list_display = ("name", "prefix", "organization", "created_by", "created_at", "revoked_at")
    list_select_related = ("organization", "created_by")
    ordering = ("-pk",)
    search_help_text = "The beginning of a key, an organization's number or a whole e-mail address"
    search_fields = ("pk",)
    readonly_fields = fields = ("name", "prefix", "owner", "created_by", "created_at", "revoked_at")

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.isdecimal():
            return queryset.filter(organization=int(term[:18]))
        if "@" in term:
            return queryset.filter(created_by__email=term.lower())
        return queryset.filter(prefix=term[: management_keys.SHOWN])

    @display(description="organization")
    def owner(self, row: ManagementKey) -> str:
        return link_to(row.organization)
