"""What checks the books, to look at."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from billing import costs
from billing.books.bills import count_lines, import_bill, remove_lines
from billing.books.drift import last_billed_day, list_drifts
from billing.books.forms import BillForm, DriftForm, MarginForm, PeriodForm, RemovalForm
from billing.books.margins import add_up, list_margins
from billing.models import BillLine, ExchangeRate, Proof, ReconcileRun
from billing.sums import DEMO
from routing.models import Provider, Upstream
from smartoken.admin import ReadOnlyAdmin, RowAdmin, link_to, show_usd

MARGIN_COLUMNS = (
    "day",
    "upstream",
    "requests",
    "charge",
    "cost",
    "margin",
    "of the charge",
    "not collected",
    "tokens counted",
    "tokens estimated",
)
DRIFT_COLUMNS = ("day", "provider", "bill", "ours", "drift", "of ours", "tokens billed", "tokens ours")


def show_rows(found: list[dict[str, object]]) -> SafeString:
    """Return the rows of a difference as a table of id, found and expected."""
    table = [("row", "found", "expected"), *((row.get("id"), row.get("found"), row.get("expected")) for row in found)]
    lines = format_html_join("", '<tr><td class="pr-6">{}</td><td class="pr-6">{}</td><td>{}</td></tr>', table)
    return format_html('<table class="mb-4">{}</table>', lines)


def show_period(
    page: ReadOnlyAdmin, request: HttpRequest, template: str, title: str, form: PeriodForm, more: dict[str, Any]
) -> HttpResponse:
    """Return a page of what the form's days hold, with links to the days before and behind them."""
    first, last = form.period()
    span = last - first + timedelta(days=1)

    def link(days: timedelta) -> str:
        asked = request.GET.dict() | {"from": f"{first + days}", "to": f"{last + days}"}
        return urlencode({name: value for name, value in asked.items() if value})

    form.data = {"from": first, "to": last} | {name: text for name, text in request.GET.items() if text}
    context = page.admin_site.each_context(request) | {
        "opts": page.opts,
        "title": title,
        "form": form,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "older": link(-span),
        "newer": link(span) if last < form.newest else "",
    }
    return TemplateResponse(request, template, context | more)


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

    @display(description="rows that differ (nano-dollars)")
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
    actions_list: Any = ("margins",)
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

    def has_margins_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @action(description="Reconciliation by day", url_path="margins", permissions=["margins"], icon="balance")
    def margins(self, request: HttpRequest) -> HttpResponse:
        upstreams = Upstream.objects.values_list("slug", flat=True)
        form = MarginForm(request.GET, newest=timezone.now().date(), choices=[*upstreams, DEMO])
        form.is_valid()
        first, last = form.period()
        rows = list_margins(first=first, last=last, upstream=form.choice)
        more = {"columns": MARGIN_COLUMNS, "rows": rows, "total": add_up(rows)}
        return show_period(self, request, "admin/margins.html", "Reconciliation", form, more)

    @display(description="records that differ (nano-dollars)")
    def rows(self, row: ReconcileRun) -> SafeString | str:
        rules = dict.fromkeys(found["rule"] for found in row.differences)
        by_rule = ((rule, [found for found in row.differences if found["rule"] == rule]) for rule in rules)
        tables = format_html_join("", "<p>{}</p>{}", ((rule, show_rows(found)) for rule, found in by_rule))
        return tables or "none"


@admin.register(BillLine)
class BillLineAdmin(ReadOnlyAdmin):
    """The lines of providers' bills: imported whole, compared with our own reckoning."""

    ordering = ("-day", "provider", "model")
    sortable_by = ()
    our_cost = staticmethod(show_usd("cost", "in USD"))
    list_display = ("day", "provider", "model", "tokens", "asked", "rate", "our_cost", "imported_at", "imported_by")
    list_filter = ("provider", "day")
    fields = list_display
    actions_list: Any = ("drift", "import_bill", "remove_lines")

    @display(description="cost")
    def asked(self, row: BillLine) -> str:
        return f"{row.cost.normalize():f} {row.currency}"

    def has_drift_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_billline")

    @action(description="Compare with our reckoning", url_path="drift", permissions=["drift"], icon="balance")
    def drift(self, request: HttpRequest) -> HttpResponse:
        providers = dict(Upstream.objects.values_list("slug", "provider__slug"))
        billed = BillLine.objects.values_list("provider", flat=True).distinct()
        newest = last_billed_day() or timezone.now().date()
        form = DriftForm(request.GET, newest=newest, choices={*billed})
        form.is_valid()
        first, last = form.period()
        rows = list_drifts(first=first, last=last, zone=form.zone_info, providers=providers, provider=form.choice)
        more = {"columns": DRIFT_COLUMNS, "rows": rows, "may_import": self.has_import_permission(request)}
        return show_period(self, request, "admin/drift.html", "Providers' bills", form, more)

    @action(description="Import a bill", url_path="import", permissions=["import"], icon="upload_file")
    def import_bill(self, request: HttpRequest) -> HttpResponse:
        """Ask for the file; nothing is imported unless every line of it is good."""
        providers = Provider.objects.values_list("slug", flat=True)
        form = BillForm(request.POST or None, request.FILES or None, providers=providers)
        if form.is_valid():
            provider = form.cleaned_data["provider"]
            imported = import_bill(provider=provider, lines=form.lines, actor=request.user.get_username())
            messages.success(request, f"{provider}: {imported}")
            days = {"from": imported.first, "to": imported.last, "provider": provider}
            return redirect(reverse("admin:billing_billline_drift", query=days))
        return self._ask(
            request, form, title="Import a provider's bill", submit_text="Import", undone="Nothing was imported."
        )

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.delete_billline")

    @action(description="Remove lines", url_path="remove", permissions=["remove"], icon="delete")
    def remove_lines(self, request: HttpRequest) -> HttpResponse:
        """Ask for the provider and the days of what was imported by mistake."""
        billed = BillLine.objects.values_list("provider", flat=True).distinct()
        form = RemovalForm(request.POST or None, providers=billed)
        if form.is_valid():
            removed = remove_lines(**form.cleaned_data, actor=request.user.get_username())
            messages.success(request, f"{form.cleaned_data['provider']}: {count_lines(removed)} removed.")
            return redirect("admin:billing_billline_changelist")
        return self._ask(
            request,
            form,
            title="Remove lines of a provider's bill",
            submit_text="Remove",
            undone="Nothing was removed.",
            note="All lines of these days go: for a bill that was imported for the wrong provider or the wrong days. "
            "One that only has wrong figures is imported again instead. This can't be undone.",
        )

    def _ask(self, request: HttpRequest, form: forms.Form, **texts: str) -> HttpResponse:
        context = self.admin_site.each_context(request) | {"opts": self.opts, "form": form, **texts}
        return TemplateResponse(request, "admin/bill_form.html", context, status=400 if form.is_bound else 200)


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
