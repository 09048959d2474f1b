"""What an administrator may ask of margins and bills, and a bill to import; filters live in the address."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.forms import DayField
from billing.books.billfiles import MAX_BYTES, BillError, Line, check_terms, read_bill
from billing.books.margins import MOST_DAYS

ZONES = {"UTC": "UTC", "Asia/Shanghai": "China"}
"""Zones in which providers count days; whole hours from UTC."""


class PeriodForm(forms.Form):
    """The days to look at, at most 31; the last ones up to ``newest`` where none are named."""

    from_ = DayField(label="From")
    to = DayField(label="To", help_text=f"At most {MOST_DAYS} days are shown.")

    def __init__(self, data: Any, *, newest: date, choices: Iterable[str]) -> None:
        super().__init__(data)
        self.newest = newest
        for name in ("from_", "to"):
            self.fields[name].widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
        field = self.fields[self.choice_name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "all"), *((slug, slug) for slug in sorted(filter(None, choices)))]

    choice_name = ""

    def add_prefix(self, field_name: str) -> str:
        return field_name.rstrip("_")  # "from" is no name for a Python attribute

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("from_") and values.get("to") and values["from_"] > values["to"]:
            self.add_error("to", "This day lies before the first one.")
        return values

    def period(self) -> tuple[date, date]:
        """Return the first and the last day that the valid fields ask for."""
        values = self.cleaned_data
        first, last = values.get("from_"), values.get("to")
        most = timedelta(days=MOST_DAYS - 1)
        if last is None:
            last = min(first + most, self.newest) if first and first <= self.newest else self.newest
        return (max(first, last - most) if first and first <= last else last - most), last

    @property
    def choice(self) -> str:
        return self.cleaned_data.get(self.choice_name) or ""


class MarginForm(PeriodForm):
    choice_name = "upstream"
    upstream = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)


class DriftForm(PeriodForm):
    choice_name = "provider"
    provider = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    zone = forms.ChoiceField(
        required=False,
        label="Days of",
        choices=list(ZONES.items()),
        widget=UnfoldAdminSelectWidget,
        help_text="Where the provider's days begin.",
    )

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.cleaned_data.get("zone") or "UTC")


class BillForm(forms.Form):
    """A provider's bill; ``lines`` are those of a good one."""

    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text=f"CSV in UTF-8 with the header day, model, tokens, cost, currency and, if you like, rate;"
        f" at most {MAX_BYTES // 1024 // 1024} MB. The same day and model again is replaced.",
    )
    currency = forms.CharField(
        required=False, max_length=3, widget=UnfoldAdminTextInputWidget, help_text="Of lines that name none."
    )
    rate = forms.CharField(
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget,
        help_text="What a unit of it is worth in USD. Empty: the exchange rate of each day.",
    )

    def __init__(self, *args: Any, providers: Iterable[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.lines: list[Line] = []
        field = self.fields["provider"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "choose one"), *((slug, slug) for slug in sorted(providers))]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        try:
            terms = check_terms(currency=values["currency"], rate=values["rate"])
            self.lines = read_bill(values["file"].read(MAX_BYTES + 1), terms)
        except BillError as error:
            raise ValidationError([ValidationError(problem) for problem in error.problems]) from None
        return values


class RemovalForm(forms.Form):
    """Which lines of bills go: all of a provider in these days."""

    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    first = DayField(label="First day")
    last = DayField(label="Last day")

    def __init__(self, *args: Any, providers: Iterable[str], **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("first", "last"):
            self.fields[name].required = True
            self.fields[name].widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
        field = self.fields["provider"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "choose one"), *((slug, slug) for slug in sorted(providers))]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("first") and values.get("last") and values["first"] > values["last"]:
            self.add_error("last", "This day lies before the first one.")
        return values
