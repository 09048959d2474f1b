"""Upstreams: addresses, credentials, and how they are."""

import re
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from routing import checks, credentials, dialects
from routing.admin.parts import checked_by
from routing.dialects.parameters import RuleError, check_rules
from routing.models import Upstream, UpstreamHealth
from routing.standing import describe_state
from smartoken.admin import RowAdmin


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
        fields = (
            "slug",
            "provider",
            "base_url",
            "dialect",
            "credential_env",
            "proxy",
            "bills_after_abort",
            "parameter_rules",
            "max_parallel",
            "first_byte_seconds",
            "is_probed",
            "balance_alarm",
        )

    clean_base_url = checked_by(checks.check_address, "base_url")

    def clean_proxy(self) -> str:
        proxy: str = self.cleaned_data["proxy"].strip()
        if proxy and not re.fullmatch(r"https?://[^/?#\s]+/?", proxy):
            raise ValidationError("Write a proxy such as http://proxy.internal:3128.")
        return proxy

    def clean_parameter_rules(self) -> Any:
        try:
            return check_rules(self.cleaned_data["parameter_rules"] or {})
        except RuleError as error:
            raise ValidationError(str(error)) from None

    clean_credential_env = checked_by(checks.check_env_name, "credential_env")

    def clean_new_credential(self) -> str:
        secret: str = self.cleaned_data["new_credential"]
        try:
            return credentials.check_credential(secret) if secret else ""
        except credentials.CredentialError as error:
            raise ValidationError(str(error)) from None

    def _get_validation_exclusions(self) -> set[str]:
        # The model's URL check refuses names such as http://vllm:8000/v1; checks.check_address has decided.
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
        "parameter_rules",
        "max_parallel",
        "first_byte_seconds",
        "is_probed",
        "balance_alarm",
        "facts",
        "health_state",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (("slug",) if obj else ()) + ("credential_state", "facts", "health_state")

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.POST.get("new_credential") or request.POST.get("forget_credential"):
            _require_recent_sign_in(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    @display(description="credential")
    def credential_state(self, row: Upstream) -> str:
        return credentials.describe_credential(row)

    @display(description="what is known of its dialect")
    def facts(self, row: Upstream) -> str:
        dialect = dialects.DIALECTS.get(row.dialect)
        if dialect is None or not (dialect.addresses or dialect.models):
            return "–"
        addresses = ", ".join(f"{one.url} ({one.region})" for one in dialect.addresses)
        return f"Addresses: {addresses or '–'}. Models: {', '.join(one.id for one in dialect.models) or '–'}."

    @display(description="state")
    def health_state(self, row: Upstream) -> str:
        health = UpstreamHealth.objects.filter(upstream=row.pk).first()
        state = describe_state(health, timezone.now())
        if health and health.balance is not None:
            state += f" · {health.balance:f} {health.balance_currency} left in the account"
        if health and health.probe_problem:
            state += f" · last probe: {health.probe_problem}"
        return state


def _require_recent_sign_in(request: HttpRequest) -> None:
    """Lead to the page that asks for the password again; the form has to be filled in once more behind it."""
    try:
        reauthentication_required(lambda request: None)(request)
    except ReauthenticationRequired:
        messages.warning(request, "Nothing was saved. Confirm that it is you, then enter the credential again.")
        request.method = "GET"  # of a POST, allauth keeps the fields in the session: the credential too
        raise
