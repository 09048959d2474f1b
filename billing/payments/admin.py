"""Redeem codes, made here and shown once, then only looked at; orders for credit, and what Stripe said of them."""

from typing import Any, ClassVar

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from billing import money
from billing.models import PaymentEvent, RedeemCode, TopUp
from billing.payments import codes
from smartoken.admin import ReadOnlyAdmin, created_at, link_to, show_usd


class CodesForm(forms.Form):
    """What the codes are worth, how many, and what for; ``usd`` becomes nano-dollars."""

    usd = forms.CharField(label="Worth of each in US dollars", max_length=30, widget=UnfoldAdminTextInputWidget)
    count = forms.IntegerField(
        label="How many", min_value=1, max_value=codes.MAX_AT_ONCE, widget=UnfoldAdminIntegerFieldWidget
    )
    batch = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget, help_text="What they are for.")
    expires_on = forms.DateField(
        label="Last day",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="In UTC. Empty: they don't expire.",
    )

    def clean_usd(self) -> int:
        try:
            return money.parse_usd(self.cleaned_data["usd"], allow_zero=False)
        except money.AmountError as error:
            raise ValidationError(str(error)) from None


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"
    states: ClassVar = {"free": True, "redeemed": False}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("free", "Not redeemed"), ("redeemed", "Redeemed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        is_free = self.states.get(self.value() or "")
        return queryset if is_free is None else queryset.filter(redeemed_at__isnull=is_free)


@admin.register(TopUp)
class TopUpAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    amount = staticmethod(show_usd("amount", "credit"))
    taken_back = staticmethod(show_usd("reversed", "taken back"))
    list_display = (created_at, "pk", "organization", "user", "state", "amount", "taken_back", "paid_at")
    list_select_related = ("organization", "user")
    list_filter = ("state",)
    search_fields = ("pk",)
    search_help_text = "An organization's number, a whole e-mail address, or Stripe's id of a session or payment"
    fields = ("state", "owner", "user", "amount", "taken_back", "session", "payment", "created_at", "paid_at")

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        if term.isdecimal():
            return queryset.filter(organization=int(term[:18]))
        return queryset.filter(Q(user__email=term.lower()) | Q(session=term) | Q(payment=term))

    @display(description="organization")
    def owner(self, row: TopUp) -> str:
        return link_to(row.organization)


class ProblemFilter(admin.SimpleListFilter):
    title = "problem"
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "To look at")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.exclude(problem="") if self.value() == "yes" else queryset


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnlyAdmin):
    ordering = ("-received_at", "pk")
    list_display = ("received_at", "kind", "top_up", "problem")
    list_select_related = ("top_up",)
    list_filter = (ProblemFilter,)
    search_fields = ("pk",)
    search_help_text = "Stripe's id of an event, or a top-up's number"
    fields = ("pk", "kind", "order", "problem", "received_at")

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(Q(pk=term) | Q(top_up=int(term[:18])) if term.isdecimal() else Q(pk=term))

    @display(description="top-up")
    def order(self, row: PaymentEvent) -> str:
        return link_to(row.top_up)


@admin.register(RedeemCode)
class RedeemCodeAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = (created_at, "hint", "batch", "amount", "created_by", "expires_at", "redeemed_at", "organization")
    list_select_related = ("organization",)
    list_filter = (StateFilter,)
    search_fields = ("pk",)
    search_help_text = "The first four characters, a batch, or an organization's number"
    fields = ("hint", "batch", "amount", "created_by", "created_at", "expires_at", "redeemed_at", "owner", "user")
    actions_list: Any = ("make",)
    amount = staticmethod(show_usd("amount", "worth"))

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        # Somebody may paste a whole code: only what is stored of it is looked at.
        is_named = Q(hint=term[: codes.HINT].upper()) | Q(batch=term)
        return queryset.filter(is_named | Q(organization=int(term[:18])) if term.isdecimal() else is_named)

    def has_make_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_redeemcode")

    @display(description="redeemed for")
    def owner(self, row: RedeemCode) -> str:
        return link_to(row.organization)

    @action(description="Make codes", url_path="make", permissions=["make"], icon="add_card")
    @method_decorator(reauthentication_required)
    def make(self, request: HttpRequest) -> HttpResponse:
        """Ask how many; the answer to the form is the one page that shows them."""
        form = CodesForm(request.POST or None)
        context = self.admin_site.each_context(request) | {"opts": self.opts, "form": form, "title": "Make codes"}
        if form.is_valid():
            data = form.cleaned_data
            try:
                made = codes.make_codes(
                    count=data["count"],
                    nanos=data["usd"],
                    batch=data["batch"],
                    created_by=request.user.get_username(),
                    expires_at=codes.end_of_day(data["expires_on"]) if data["expires_on"] else None,
                )
            except codes.CodeError as error:
                form.add_error(None, str(error))
            else:
                return TemplateResponse(request, "admin/codes_made.html", context | {"codes": made, "given": data})
        status = 400 if form.is_bound else 200
        return TemplateResponse(request, "admin/codes_form.html", context, status=status)
