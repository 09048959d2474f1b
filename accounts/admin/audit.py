"""The audit log."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.models import AuditEntry
from smartoken.admin import ReadOnlyAdmin, created_at, link_to
from smartoken.changes import list_changes


class ActionFilter(admin.SimpleListFilter):
    """Entries about one kind of row."""

    title = "about"
    parameter_name = "about"
    names: ClassVar = {
        "key": "API keys",
        "organization": "organizations",
        "member": "members",
        "invitation": "invitations",
        "user": "people",
        "ledger": "money",
        "code": "redeem codes",
        "price": "prices",
        "rate": "exchange rates",
        "model": "models",
        "alias": "aliases",
        "pool": "pools",
        "route": "routes",
        "upstream": "upstreams",
        "provider": "providers",
        "family": "families",
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.names.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.value()
        return queryset.filter(action__startswith=f"{name}.") if name in self.names else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    sortable_by = ()
    list_display = (created_at, "actor", "action", "target", "organization")
    list_select_related = ("organization",)
    list_filter = (ActionFilter,)
    search_fields = ("pk",)
    search_help_text = "An organization's number, or the beginning of who changed something"
    fields = ("created_at", "actor", "action", "target", "owner", "changes")

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.isdecimal():
            return queryset.filter(organization=int(term[:18]))
        return queryset.filter(actor__istartswith=term)

    @display(description="organization")
    def owner(self, row: AuditEntry) -> str:
        return link_to(row.organization)

    def changes(self, row: AuditEntry) -> SafeString:
        lines = ((change.name, change.before or "–", change.after or "–") for change in list_changes(row))
        table = format_html_join("", '<tr><td class="pr-6">{}</td><td class="pr-6">{}</td><td>{}</td></tr>', lines)
        heads = '<tr><th class="pr-6">value</th><th class="pr-6">before</th><th>after</th></tr>'
        return format_html('<table class="text-left">{}{}</table>', SafeString(heads), table)
