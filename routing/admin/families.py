"""Families, models and providers."""

from itertools import pairwise
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from billing.admin import describe_price
from billing.models import Price
from billing.pricing import current_prices
from routing import pools
from routing.admin.parts import is_named_by_money, join_links
from routing.models import Alias, Family, Model, Provider
from smartoken.admin import RowAdmin, RowInline, link_to, link_to_list


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


class AliasInline(RowInline):
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
        pools.ensure_pool(model=obj, actor=request.user.get_username())

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
        return join_links([link_to(getattr(row, "pool", None), "pool"), link_to_list(Price, "prices", model=row.slug)])


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
