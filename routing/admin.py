"""Families, models, providers, upstreams, and the pools with their routes."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from billing import money
from billing.admin import describe_price
from billing.models import Price, UsageRecord
from billing.pricing import current_prices
from routing import credentials, pools
from routing.models import Alias, Family, Model, Pool, Provider, Route, Upstream
from smartoken.admin import RowAdmin, link_to, link_to_list


def checked_by(check: Callable[[str], str], name: str) -> Callable[[Any], str]:
    """Return a form's ``clean_<name>`` that asks the domain; its error belongs to the field."""

    def clean(form: Any) -> str:
        try:
            return check(form.cleaned_data[name] or "")
        except (pools.PoolError, credentials.CredentialError) as error:
            raise ValidationError(str(error)) from None

    return clean


@admin.register(Family)
class FamilyAdmin(RowAdmin):
    """The catalogue's families; its files say what they are, and each start repeats it."""

    list_display = ("name", "slug", "company", "reasoning", "coding", "best_for", "models_list")
    ordering = ("position",)
    fields = ("name", "slug", "company", "reasoning", "coding", "best_for", "models_list")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("models")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def kept_because(self, row: Any) -> str:
        return f"{row} comes from the catalogue and is never deleted; disable its routes to stop serving it."

    @display(description="models")
    def models_list(self, row: Family) -> SafeString:
        return format_html_join(", ", "{}", ((link_to(model),) for model in row.models.all()))


class AliasInline(TabularInline):
    model = Alias
    extra = 0


class ModelForm(forms.ModelForm):
    class Meta:
        model = Model
        fields = (
            "family",
            "context_length",
            "max_output_tokens",
            "default_output_tokens",
            "thinks",
            "tokens_per_byte_bound",
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        order = ("default_output_tokens", "max_output_tokens", "context_length")
        for smaller, larger in pairwise(order):
            if (values.get(smaller) or 0) > (values.get(larger) or 0):
                self.add_error(smaller, f"It can't be above the {larger.replace('_', ' ')}.")
        return values


class NewModelForm(ModelForm):
    """A new model; its public id is set once, for clients and statements hold on to it."""

    public_id = forms.SlugField(max_length=64, widget=UnfoldAdminTextInputWidget, help_text="It never changes.")

    def clean_public_id(self) -> str:
        slug: str = self.cleaned_data["public_id"].lower()
        if Model.objects.filter(slug=slug).exists() or Alias.objects.filter(name=slug).exists():
            raise ValidationError("There is a model or an alias of this name.")
        return slug

    def save(self, commit: bool = True) -> Any:
        self.instance.slug = self.cleaned_data["public_id"]
        return super().save(commit)


def is_named_by_money(model: Model) -> bool:
    """Tell whether a price or a charge names this model: they hold its public id, not its row."""
    return any(table.objects.filter(model=model.slug).exists() for table in (Price, UsageRecord))


@admin.register(Model)
class ModelAdmin(RowAdmin):
    form = ModelForm
    list_display = ("slug", "family", "context_length", "max_output_tokens", "default_output_tokens", "thinks", "price")
    list_select_related = ("family",)
    list_filter = ("family", "thinks")
    search_fields = ("slug__startswith", "aliases__name__startswith")
    ordering = ("family__position", "slug")
    inlines = (AliasInline,)
    fields: ClassVar = ("slug", *ModelForm.Meta.fields, "price", "rows")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs | ({} if obj else {"form": NewModelForm}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("public_id", *ModelForm.Meta.fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("slug", "price", "rows") if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        Pool.objects.get_or_create(model=obj)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        request.prices = current_prices()  # type: ignore[attr-defined]
        return super().changelist_view(request, extra_context)

    def kept_because(self, row: Any) -> str:
        if is_named_by_money(row):
            return f"{row} can't be deleted: prices or charges name it. Disable the routes of its pool instead."
        return ""

    @display(description="price per 1M tokens")
    def price(self, row: Model) -> str:
        prices = getattr(self.request, "prices", None) or current_prices()
        return describe_price(prices[row.slug]) if row.slug in prices else "none: it can't be called"

    @display(description="belongs to it")
    def rows(self, row: Model) -> SafeString:
        return _join([link_to(getattr(row, "pool", None), "pool"), link_to_list(Price, "prices", model=row.slug)])


@admin.register(Provider)
class ProviderAdmin(RowAdmin):
    list_display = ("name", "slug", "country", "upstream_count")
    search_fields = ("name__startswith", "slug__startswith")
    ordering = ("name",)
    fields = ("name", "slug", "country")
    prepopulated_fields: ClassVar = {"slug": ("name",)}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("slug",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(count=Count("upstreams"))

    @display(description="upstreams")
    def upstream_count(self, row: Any) -> str:
        return str(row.count)


class UpstreamForm(forms.ModelForm):
    """An upstream; the credential goes in and never comes out."""

    base_url = forms.CharField(
        label="Address",
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Up to the part before /chat/completions.",
    )
    new_credential = forms.CharField(
        label="New credential",
        required=False,
        max_length=4000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted, never shown again. Empty: nothing changes.",
    )
    forget_credential = forms.BooleanField(
        label="Forget the stored credential", required=False, widget=UnfoldBooleanSwitchWidget
    )

    class Meta:
        model = Upstream
        fields = ("slug", "provider", "base_url", "dialect", "credential_env", "proxy", "bills_after_abort")

    clean_base_url = checked_by(pools.check_address, "base_url")

    def clean_proxy(self) -> str:
        proxy: str = self.cleaned_data["proxy"].strip()
        if proxy and not re.fullmatch(r"https?://[^/?#\s]+/?", proxy):
            raise ValidationError("Write a proxy such as http://proxy.internal:3128.")
        return proxy

    clean_credential_env = checked_by(pools.check_env_name, "credential_env")

    def clean_new_credential(self) -> str:
        secret: str = self.cleaned_data["new_credential"]
        try:
            return credentials.check_credential(secret) if secret else ""
        except credentials.CredentialError as error:
            raise ValidationError(str(error)) from None

    def _get_validation_exclusions(self) -> set[str]:
        # The model's URL check refuses names such as http://vllm:8000/v1; pools.check_address has decided.
        return super()._get_validation_exclusions() | {"base_url"}  # type: ignore[misc, no-any-return]

    def save(self, commit: bool = True) -> Any:
        if secret := self.cleaned_data["new_credential"]:
            self.instance.credential = credentials.seal(secret)
        elif self.cleaned_data["forget_credential"]:
            self.instance.credential = None
        return super().save(commit)


@admin.register(Upstream)
@method_decorator(sensitive_post_parameters("new_credential"), name="changeform_view")
class UpstreamAdmin(RowAdmin):
    form = UpstreamForm
    list_display = ("slug", "provider", "base_url", "dialect", "credential_state")
    list_select_related = ("provider",)
    list_filter = ("provider", "dialect")
    search_fields = ("slug__startswith", "provider__name__startswith")
    ordering = ("slug",)
    fields = (
        "slug",
        "provider",
        "base_url",
        "dialect",
        "credential_state",
        "new_credential",
        "forget_credential",
        "credential_env",
        "proxy",
        "bills_after_abort",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("slug", "credential_state") if obj else ("credential_state",)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.POST.get("new_credential") or request.POST.get("forget_credential"):
            _require_recent_sign_in(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    @display(description="credential")
    def credential_state(self, row: Upstream) -> str:
        return credentials.describe_credential(row)


def _require_recent_sign_in(request: HttpRequest) -> None:
    """Lead to the page that asks for the password again; the form has to be filled in once more behind it."""
    try:
        reauthentication_required(lambda request: None)(request)
    except ReauthenticationRequired:
        messages.warning(request, "Nothing was saved. Confirm that it is you, then enter the credential again.")
        request.method = "GET"  # of a POST, allauth keeps the fields in the session: the credential too
        raise


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
            "context_length",
            "max_output_tokens",
            "cost_currency",
        ]
        labels: ClassVar = {
            "upstream_model": "Its model",
            "enabled": "On",
            "json_mode": "JSON",
            "context_length": "Context",
            "max_output_tokens": "Answer",
            "cost_currency": "In",
        }
        help_texts: ClassVar = dict.fromkeys(("upstream_model", "weight", *fields[-3:]), "")

    clean_upstream_model = checked_by(pools.check_model_id, "upstream_model")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"priority", "weight"} & set(self.fields):
            self.fields[name].validators.append(MaxValueValidator(pools.MAX_NUMBER))
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
        except pools.PoolError as error:
            self.add_error("cost_input", ValidationError(str(error)))

    def save(self, commit: bool = True) -> Any:
        for name, value in self._cost.items():
            setattr(self.instance, name, value)
        return super().save(commit)


class RouteInline(TabularInline):
    model = Route
    form = RouteForm
    extra = 0
    autocomplete_fields = ("upstream",)
    readonly_fields = ("source",)
    show_title = False
    fields = (*RouteForm.Meta.fields[:-1], "cost_input", "cost_cached", "cost_output", "cost_currency", "source")
    # For those who may only look.
    cost_input, cost_cached, cost_output = (show_cost(name) for name in COSTS)

    @display(description="made by")
    def source(self, row: Route) -> str:
        return "environment" if row.from_environment else "person"


@admin.register(Pool)
class PoolAdmin(RowAdmin):
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
        return _join(
            [
                link_to(row.model, f"model {row.model}"),
                link_to_list(Price, "prices", model=row.model.slug),
                link_to_list(UsageRecord, "usage", model=row.model.slug),
                *(link_to(upstream) for upstream in upstreams),
            ]
        )


def _join(links: list[Any]) -> SafeString:
    return format_html_join(" · ", "{}", ((link,) for link in links))
