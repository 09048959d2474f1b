"""What checks the books, to look at."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing import costs
from billing.models import ExchangeRate, Proof, ReconcileRun
from smartoken.admin import ReadOnlyAdmin, RowAdmin, link_to, show_usd


def show_rows(found: list[dict[str, object]]) -> SafeString:
    """Return the rows of a difference as a table of id, found and expected."""
    table = [("row", "found", "expected"), *((row.get("id"), row.get("found"), row.get("expected")) for row in found)]
    lines = format_html_join("", '<tr><td class="pr-6">{}</td><td class="pr-6">{}</td><td>{}</td></tr>', table)
    return format_html('<table class="mb-4">{}</table>', lines)


@display(description="took")
def seconds(row: Any) -> str:
    return f"{(row.ended_at - row.started_at).total_seconds():.1f} s"


@display(description="began (UTC)", ordering="started_at")
def started_at(row: Any) -> str:
    return f"{row.started_at:%Y-%m-%d\u00a0%H:%M:%S}"


@display(description="differences", ordering="difference_count", label={"none": "success", "some": "danger"})
def difference_label(row: Any) -> tuple[str, str]:
    return ("some", f"{row.difference_count}") if row.difference_count else ("none", "none")


@admin.register(Proof)
class ProofAdmin(ReadOnlyAdmin):
    """Each check of the books; the command checkledger makes one too."""

    ordering = ("-pk",)
    sortable_by = ()
    list_display = (started_at, "kind", difference_label, "open_holds", "wallets", "entries", "records", seconds)
    list_filter = (("since", admin.EmptyFieldListFilter),)
    list_select_related = ("since",)
    fields = (
        "kind",
        "started_at",
        "ended_at",
        "open_holds",
        "wallets",
        "entries",
        "records",
        "difference_count",
        "rows",
    )

    @display(description="looked at")
    def kind(self, row: Proof) -> str:
        if row.since:
            return format_html("since {}", link_to(row.since, f"{row.since.started_at:%Y-%m-%d %H:%M}"))
        return "everything"

    @display(description="rows that differ")
    def rows(self, row: Proof) -> SafeString | str:
        tables = format_html_join(
            "", "<p>{}</p>{}", ((rule, show_rows(found)) for rule, found in row.differences.items())
        )
        return tables or "none"


@admin.register(ReconcileRun)
class ReconcileRunAdmin(ReadOnlyAdmin):
    """Each night's look at the charges of two days."""

    ordering = ("-pk",)
    sortable_by = ()
    charge = staticmethod(show_usd("charge", "charge"))
    cost = staticmethod(show_usd("cost", "cost"))
    uncollected = staticmethod(show_usd("uncollected", "not collected"))
    list_display = (started_at, difference_label, "records", "estimated", "charge", "cost", "uncollected", seconds)
    fields = (
        "started_at",
        "ended_at",
        "begins_at",
        "until",
        "records",
        "estimated",
        "charge",
        "cost",
        "uncollected",
        "difference_count",
        "rows",
    )

    @display(description="records that differ")
    def rows(self, row: ReconcileRun) -> SafeString | str:
        rules = dict.fromkeys(found["rule"] for found in row.differences)
        by_rule = ((rule, [found for found in row.differences if found["rule"] == rule]) for rule in rules)
        tables = format_html_join("", "<p>{}</p>{}", ((rule, show_rows(found)) for rule, found in by_rule))
        return tables or "none"


class RateForm(forms.ModelForm):
    """A new rate, from now on or from another instant, which may be past: bills of that time are read with it."""

    class Meta:
        model = ExchangeRate
        fields = ("currency", "usd", "starts_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("starts_at"):
            field.required, field.help_text = False, "In UTC. Empty: now."

    def clean_currency(self) -> str:
        try:
            return costs.check_currency(self.cleaned_data["currency"])
        except costs.RateError as error:
            raise ValidationError(str(error)) from None

    def clean_usd(self) -> Decimal:
        try:
            return costs.check_rate(self.cleaned_data["usd"])
        except costs.RateError as error:
            raise ValidationError(str(error)) from None


@admin.register(ExchangeRate)
class ExchangeRateAdmin(RowAdmin):
    form = RateForm
    input_errors = (costs.RateError,)
    actions = None
    list_display = ("currency", "worth", "starts_at")
    list_filter = ("currency",)
    search_fields = ("currency__startswith",)
    ordering = ("currency", "-starts_at")
    fields = ("currency", "usd", "starts_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # costs and bills were reckoned with it: a new rate follows

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def kept_because(self, row: Any) -> str:
        return "A rate is never deleted: add a new one, which follows it."

    @display(description="one unit in US dollars")
    def worth(self, row: ExchangeRate) -> str:
        return f"{row.usd.normalize():f}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = request.user.get_username()
        rate = costs.set_rate(currency=obj.currency, usd=obj.usd, starts_at=obj.starts_at, actor=actor)
        obj.__dict__.update(rate.__dict__)
