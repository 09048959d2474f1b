"""Money and usage, to look at; the one thing to add here is a price."""

import json
import uuid
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

import billing.books.admin
import billing.payments.admin  # noqa: F401
from accounts.models import Organization
from billing import ledger, money, pricing
from billing.models import Hold, LedgerEntry, Limit, Price, UsageRecord
from routing.models import Model
from smartoken import movements
from smartoken.admin import ReadOnlyAdmin, RowAdmin, created_at, link_to, show_usd
from smartoken.movements import move_money

SHOWN_CHARACTERS = 2000
"""How much of a text that came from a provider a page shows."""


class PeriodFilter(admin.SimpleListFilter):
    """Newer than an hour, a day, a week or a month."""

    title = "time"
    parameter_name = "period"
    field = "created_at"
    hours: ClassVar = {"hour": 1, "day": 24, "week": 7 * 24, "month": 30 * 24}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, f"Last {name}") for name in self.hours]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if hours := self.hours.get(self.value() or ""):
            return queryset.filter(**{f"{self.field}__gte": timezone.now() - timedelta(hours=hours)})
        return queryset


class MoneyAdmin(ReadOnlyAdmin):
    """Rows of organizations: found by their id, an organization's number or a member's whole address."""

    search_fields = ("pk",)  # shows the field; ``find`` does the work
    search_help_text = "A request's id, an organization's number or a member's whole e-mail address"
    request_field: str = "pk"

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.isdecimal():
            return queryset.filter(organization=int(term[:18]))
        if "@" in term:
            return queryset.filter(organization__in=Organization.objects.filter(members__email=term.lower()))
        try:
            return queryset.filter(**{self.request_field: uuid.UUID(term)})
        except ValueError:
            return queryset.none()


@admin.register(UsageRecord)
class UsageRecordAdmin(MoneyAdmin):
    ordering = ("-created_at", "-id")
    sortable_by = ()
    list_display = (
        created_at,
        "model",
        "status",
        "ended_by",
        "input_tokens",
        "output_tokens",
        show_usd("charge", "charge"),
        "upstream",
        "total_ms",
        "short_id",
    )
    list_filter = (PeriodFilter, "status", "ended_by", "count_source", "demo")
    fieldsets = (
        (None, {"fields": ("id", "owner", "key_link", "user", "created_at", "started_at")}),
        ("Route", {"fields": ("model", "provider", "upstream", "upstream_model", "stream", "demo", "attempts_text")}),
        ("End", {"fields": ("status", "http_status", "error_code", "ended_by", "finish_reason")}),
        ("Tokens", {"fields": ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "count_source")}),
        ("Estimate", {"fields": ("input_estimate", "output_limit")}),
        ("Money", {"fields": ("charge", "refunded", "held", "uncollected", "price_text", "cost_text", "cost_usd")}),
        ("Latency", {"fields": ("first_token_ms", "total_ms")}),
        ("Ids", {"fields": ("client_request_id", "provider_request_id", "sdk_retry", "tag")}),
    )
    actions_detail: Any = ("refund",)
    charge = staticmethod(show_usd("charge", "charge"))
    held = staticmethod(show_usd("held", "held"))
    uncollected = staticmethod(show_usd("uncollected", "not collected"))

    @display(description="request")
    def short_id(self, row: UsageRecord) -> str:
        return f"{str(row.pk)[:8]}…"

    @display(description="organization")
    def owner(self, row: UsageRecord) -> str:
        return link_to(row.organization)

    @display(description="key")
    def key_link(self, row: UsageRecord) -> str:
        return link_to(row.key)

    @display(description="attempts")
    def attempts_text(self, row: UsageRecord) -> SafeString:
        text = json.dumps(row.attempts, indent=1, ensure_ascii=False)
        return format_html('<pre class="overflow-x-auto">{}</pre>', text[:SHOWN_CHARACTERS])

    @display(description="price per 1M tokens")
    def price_text(self, row: UsageRecord) -> str:
        return describe_price(row.price)

    @display(description="cost")
    def cost_text(self, row: UsageRecord) -> str:
        return "not known" if row.cost is None else f"{row.cost.normalize():f} {row.cost_currency}"

    @display(description="cost in USD")
    def cost_usd(self, row: UsageRecord) -> str:
        if row.cost_nanos is None:
            return "not known" if row.cost is None else f"no exchange rate of {row.cost_currency} was set"
        return "$" + money.usd(row.cost_nanos)

    def refunded(self, row: UsageRecord) -> str:
        return "$" + money.usd(ledger.sum_refunds(record=row))

    def has_refund_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("billing.add_ledgerentry")

    @action(description="Refund", url_path="refund", permissions=["refund"], icon="undo")
    @method_decorator(reauthentication_required)
    def refund(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        record = self.get_object(request, str(object_id))
        if record is None:
            raise Http404
        left = record.charge_nanos - ledger.sum_refunds(record=record)
        return move_money(
            self,
            request,
            record,
            movements.REFUND,
            partial(ledger.refund, record=record),
            fact=f"charged ${money.usd(record.charge_nanos)}, of which ${money.usd(left)} can be refunded.",
            amount=money.usd(left),
        )


@admin.register(LedgerEntry)
class LedgerEntryAdmin(MoneyAdmin):
    request_field = "reference"
    ordering = ("-pk",)
    list_display = (created_at, "organization", "kind", show_usd("amount", "amount"), "reference", "actor", "reason")
    list_select_related = ("organization",)
    list_filter = ("kind",)
    fields = ("kind", "amount", "owner", "reference", "request", "actor", "reason", "created_at")
    amount = staticmethod(show_usd("amount", "amount"))

    @display(description="organization")
    def owner(self, row: LedgerEntry) -> str:
        return link_to(row.organization)


@admin.register(Hold)
class HoldAdmin(MoneyAdmin):
    ordering = ("-pk",)  # an id begins with the time
    sortable_by = ()
    list_display = ("started_at", "state", "organization", "model", show_usd("amount", "held"), "deadline_at", "id")
    list_select_related = ("organization",)
    list_filter = ("state",)
    fields = (
        "id",
        "state",
        "owner",
        "model",
        "amount",
        "charged",
        "input_estimate",
        "output_limit",
        "stream",
        "process",
        "started_at",
        "deadline_at",
        "ended_at",
    )
    amount = staticmethod(show_usd("amount", "held"))
    charged = staticmethod(show_usd("charged", "charged"))

    @display(description="organization")
    def owner(self, row: Hold) -> str:
        return link_to(row.organization)


@admin.register(Limit)
class LimitAdmin(MoneyAdmin):
    search_help_text = "An organization's number or a member's whole e-mail address"
    ordering = ("-pk",)
    list_display = (
        "organization",
        "kind",
        "key",
        show_usd("limit", "limit"),
        show_usd("spent", "spent"),
        show_usd("held", "held"),
        show_usd("free", "free"),
        "starts_at",
        "ends_at",
    )
    list_select_related = ("organization", "key")
    list_filter = ("kind",)
    fields = ("kind", "organization", "key", "limit", "spent", "held", "free", "starts_at", "ends_at")
    limit = staticmethod(show_usd("limit", "limit"))
    spent = staticmethod(show_usd("spent", "spent"))
    held = staticmethod(show_usd("held", "held"))
    free = staticmethod(show_usd("free", "free"))

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return super().find(queryset, term) if term.isdecimal() or "@" in term else queryset.none()


# --- prices ----------------------------------------------------------------


def describe_price(price: Price) -> str:
    """Return a price's three figures, in US dollars per 1M tokens."""
    parts = zip(("in", "cached", "out"), (price.input_micros, price.cached_micros, price.output_micros), strict=True)
    return " · ".join(f"{_format_price(micros)} {name}" for name, micros in parts)


def _format_price(micros: int) -> str:
    whole, _, rest = money.usd(micros * (money.NANOS // money.MICROS)).partition(".")
    return f"${whole}.{rest:0<2}"


def list_models() -> list[tuple[str, str]]:
    """Return the models for a form's choices."""
    return [(slug, slug) for slug in Model.objects.order_by("slug").values_list("slug", flat=True)]


class PriceForm(forms.ModelForm):
    """A new price in US dollars per 1M tokens, from now on or from a later instant."""

    model = forms.ChoiceField(widget=UnfoldAdminSelectWidget, choices=list_models)
    input_usd = forms.CharField(label="Input, USD per 1M tokens", widget=UnfoldAdminTextInputWidget)
    cached_usd = forms.CharField(label="Cached input, USD per 1M tokens", widget=UnfoldAdminTextInputWidget)
    output_usd = forms.CharField(label="Output, USD per 1M tokens", widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = Price
        fields = ("model", "starts_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["starts_at"].required = False
        self.fields["starts_at"].help_text = "In UTC. Empty: now."

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name in ("input", "cached", "output"):
            if text := values.get(f"{name}_usd"):
                try:
                    values[f"{name}_micros"] = money.parse_price(text)
                except money.AmountError as error:
                    self.add_error(f"{name}_usd", ValidationError(str(error)))
        return values


@admin.register(Price)
class PriceAdmin(RowAdmin):
    form = PriceForm
    input_errors = (pricing.PriceError,)
    actions = None
    list_display = ("model", "figures", "starts_at", "in_force")
    list_filter = ("model",)
    search_fields = ("model__startswith",)
    ordering = ("model", "-starts_at")
    fields = ("model", "input_usd", "cached_usd", "output_usd", "starts_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what was charged stays charged: a new price follows

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def kept_because(self, row: Any) -> str:
        return "A price is never deleted: add a new one, which follows it."

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs | ({"form": forms.ModelForm} if obj else {}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("model", "figures", "starts_at", "in_force") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("figures", "in_force") if obj else ()

    def get_queryset(self, request: HttpRequest) -> Any:
        since = Price.objects.filter(model=OuterRef("model"), starts_at__lte=timezone.now()).order_by("-starts_at")
        return super().get_queryset(request).annotate(current_id=Subquery(since.values("pk")[:1]))

    @display(description="per 1M tokens")
    def figures(self, row: Price) -> str:
        return describe_price(row)

    @display(description="in force", boolean=True)
    def in_force(self, row: Any) -> bool:
        return bool(row.pk == row.current_id)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[f"{name}_micros"] for name in ("input", "cached", "output")}
        price = pricing.set_price(
            model=obj.model,
            starts_at=obj.starts_at,
            actor=request.user.get_username(),
            **{f"{name}_micros": micros for name, micros in values.items()},
        )
        obj.__dict__.update(price.__dict__)
