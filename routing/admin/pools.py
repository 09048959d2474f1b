"""Pools with their routes, and what can be asked of them."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import money
from billing.models import Price, UsageRecord
from routing import checks, pools
from routing.admin.parts import checked_by, is_named_by_money, join_links
from routing.admin.questions import PoolQuestions
from routing.models import Pool, Route
from routing.standing import read_standings
from smartoken.admin import RowInline, link_to, link_to_list

COSTS = ("input", "cached", "output")


def show_cost(name: str) -> Any:
    """Return a column that shows what the provider asks, as it is written into the form."""

    @display(description=f"{name} cost")
    def column(page: Any, row: Route) -> str:
        micros = getattr(row, f"cost_{name}_micros")
        return "–" if micros is None else money.price(micros)

    return column


def cost_field(label: str) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"})
    return forms.CharField(label=label, required=False, max_length=20, widget=widget)


class RouteForm(forms.ModelForm):
    """A route; what its provider asks is written in units of its currency for 1M tokens."""

    cost_input = cost_field("Cost: input")
    cost_cached = cost_field("Cached")
    cost_output = cost_field("Output")

    class Meta:
        model = Route
        fields: ClassVar = [
            "upstream",
            "upstream_model",
            "priority",
            "weight",
            "enabled",
            "tools",
            "images",
            "json_mode",
            "json_schema",
            "context_length",
            "max_output_tokens",
            "cost_currency",
        ]
        labels: ClassVar = {
            "upstream_model": "Its model",
            "enabled": "On",
            "json_mode": "JSON",
            "json_schema": "Schema",
            "context_length": "Context",
            "max_output_tokens": "Answer",
            "cost_currency": "In",
        }
        help_texts: ClassVar = dict.fromkeys(("upstream_model", "weight", *fields[-3:]), "")

    clean_upstream_model = checked_by(checks.check_model_id, "upstream_model")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"priority", "weight"} & set(self.fields):
            self.fields[name].validators.append(MaxValueValidator(checks.MAX_NUMBER))
        if "cost_currency" in self.fields:
            self.fields["cost_currency"].required = False
        for name in COSTS:
            micros = getattr(self.instance, f"cost_{name}_micros")
            self.initial[f"cost_{name}"] = "" if micros is None else money.price(micros)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        given: dict[str, int] = {}
        for name in COSTS:
            try:
                if text := values.get(f"cost_{name}"):
                    given[name] = money.parse_price(text)
            except money.AmountError as error:
                self.add_error(f"cost_{name}", ValidationError(str(error)))
        if not self.errors:
            self._take_cost(pools.RouteCost(**given, currency=values.get("cost_currency") or ""))
        return values

    def _take_cost(self, cost: pools.RouteCost) -> None:
        try:
            self._cost = pools.check_cost(cost)
        except checks.PoolError as error:
            self.add_error("cost_input", ValidationError(str(error)))

    def save(self, commit: bool = True) -> Any:
        for name, value in self._cost.items():
            setattr(self.instance, name, value)
        return super().save(commit)


class RouteInline(RowInline):
    model = Route
    form = RouteForm
    extra = 0
    autocomplete_fields = ("upstream",)
    readonly_fields = ("state", "share", "failures", "source")
    show_title = False
    fields = (
        *RouteForm.Meta.fields[:2],
        "state",
        "share",
        "failures",
        *RouteForm.Meta.fields[2:-1],
        "cost_input",
        "cost_cached",
        "cost_output",
        "cost_currency",
        "source",
    )
    # For those who may only look.
    cost_input, cost_cached, cost_output = (show_cost(name) for name in COSTS)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        self._standings = read_standings(pool=obj) if obj else {}
        return super().get_formset(request, obj, **kwargs)

    @display(description="state")
    def state(self, row: Route) -> str:
        return self._standings[row.pk].state if row.pk in self._standings else "–"

    @display(description="share (1 h)")
    def share(self, row: Route) -> str:
        return self._standings[row.pk].share if row.pk in self._standings else "–"

    @display(description="failed (1 h)")
    def failures(self, row: Route) -> str:
        return str(self._standings[row.pk].failed) if row.pk in self._standings else "–"

    @display(description="made by")
    def source(self, row: Route) -> str:
        return "environment" if row.from_environment else "person"


@admin.register(Pool)
class PoolAdmin(PoolQuestions):
    list_display = ("model", "family", "route_count", "enabled_count", "upstreams")
    list_select_related = ("model__family",)
    search_fields = ("model__slug__startswith",)
    ordering = ("model__family__position", "model__slug")
    fields = readonly_fields = ("model", "order", "links")
    inlines = (RouteInline,)

    def get_queryset(self, request: HttpRequest) -> Any:
        counts = {"all_routes": Count("routes"), "enabled_routes": Count("routes", filter=Q(routes__enabled=True))}
        return super().get_queryset(request).annotate(**counts).prefetch_related("routes__upstream")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # each model has its pool

    def kept_because(self, row: Any) -> str:
        if is_named_by_money(row.model):
            return f"The pool of {row} stays with its model. Disable or remove its routes instead."
        return ""

    @display(description="family", ordering="model__family__position")
    def family(self, row: Pool) -> str:
        return row.model.family.name

    @display(description="routes", ordering="all_routes")
    def route_count(self, row: Any) -> int:
        return int(row.all_routes)

    @display(description="enabled", ordering="enabled_routes")
    def enabled_count(self, row: Any) -> int:
        return int(row.enabled_routes)

    @display(description="in this order")
    def upstreams(self, row: Pool) -> str:
        return ", ".join(f"{r.priority}: {r.upstream.slug}" for r in row.routes.all() if r.enabled) or "–"

    @display(description="how it is used")
    def order(self, row: Pool) -> str:
        return (
            "Priority 1 comes first; weight shares traffic among the routes of one priority, and 0 waits for the others"
            " to fail. Context and longest answer are tokens; empty: the model's. Costs are what the provider asks for"
            " 1M tokens, in its currency; empty cached: as input. A route made by the environment goes when its"
            " variable goes."
        )

    @display(description="see also")
    def links(self, row: Pool) -> SafeString:
        upstreams = dict.fromkeys(route.upstream for route in row.routes.all())
        return join_links(
            [
                link_to(row.model, f"model {row.model}"),
                link_to_list(Price, "prices", model=row.model.slug),
                link_to_list(UsageRecord, "usage", model=row.model.slug),
                *(link_to(upstream) for upstream in upstreams),
            ]
        )
