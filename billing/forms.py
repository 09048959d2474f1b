"""What people may ask of the usage list; the address holds it."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms

from accounts.forms import DayField
from accounts.models import APIKey, Membership
from billing.budgets import local_midnight
from billing.models import UsageRecord

ID_PATTERN = re.compile(r"(?:chatcmpl-)?([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def read_id(text: str) -> UUID | None:
    """Return the request that an ``x-request-id`` or a completion's id names; None for anything else."""
    match = ID_PATTERN.fullmatch(text.strip().lower())
    return UUID(match[1]) if match else None


class UsageFilterForm(forms.Form):
    status = forms.ChoiceField(required=False, choices=[("", "any"), *UsageRecord.Status.choices])
    model = forms.CharField(required=False, max_length=64, widget=forms.Select)
    key = forms.ModelChoiceField(APIKey.objects.none(), required=False, empty_label="any")
    from_ = DayField(label="From")
    to = DayField()

    def __init__(self, *args: Any, membership: Membership, models: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.zone = ZoneInfo(membership.organization.time_zone)
        widget = self.fields["model"].widget
        assert isinstance(widget, forms.Select)
        widget.choices = [("", "any"), *((slug, slug) for slug in models)]
        key = self.fields["key"]
        assert isinstance(key, forms.ModelChoiceField)
        key.queryset = APIKey.objects.visible_to(membership).order_by("name", "pk")

    def add_prefix(self, field_name: str) -> str:
        return field_name.rstrip("_")  # "from" is no name for a Python attribute

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        first, last = data.get("from_"), data.get("to")
        if first and last and first > last:
            self.add_error("to", "This day lies before the first one.")
        return data

    def lookups(self) -> dict[str, Any]:
        """Return the lookups of UsageRecord that the valid fields ask for."""
        data = {name: value for name, value in self.cleaned_data.items() if value}
        found: dict[str, Any] = {name: data[name] for name in ("status", "model", "key") if name in data}
        if first := data.get("from_"):
            found["created_at__gte"] = local_midnight(first, self.zone)
        if last := data.get("to"):
            found["created_at__lt"] = local_midnight(last + timedelta(days=1), self.zone)
        return found
