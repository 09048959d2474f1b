"""What people may ask of the usage page; the address holds it."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from accounts.forms import DayField
from accounts.models import APIKey, Membership, User
from billing.budgets import local_midnight
from billing.filters import UsageFilter
from billing.models import UsageRecord
from billing.usage import Order

ID_PATTERN = re.compile(r"(?:chatcmpl-)?([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")

DAYS = "days"
MOST_CHOICES = 200
"""Keys or members that a filter offers; a key's own page leads to the requests of any."""
PERIODS: dict[str, tuple[str, Callable[[date], tuple[date, date]]]] = {
    # name: (in words, today → the first day and the one behind the last)
    "today": ("today", lambda today: (today, _later(today, 1))),
    "yesterday": ("yesterday", lambda today: (_later(today, -1), today)),
    "7d": ("last 7 days", lambda today: (_later(today, -6), _later(today, 1))),
    "30d": ("last 30 days", lambda today: (_later(today, -29), _later(today, 1))),
    "month": ("this month", lambda today: (today.replace(day=1), _later(today, 1))),
    "last-month": ("last month", lambda today: (_later(today.replace(day=1), -1).replace(day=1), today.replace(day=1))),
}
GROUPS = [
    ("", "each request"),
    ("day", "day"),
    ("model", "model"),
    ("key", "key"),
    ("status", "status"),
    ("tag", "tag"),
]


def read_id(text: str) -> UUID | None:
    """Return the request that an ``x-request-id`` or a completion's id names; None for anything else."""
    match = ID_PATTERN.fullmatch(text.strip().lower())
    return UUID(match[1]) if match else None


class UsageFilterForm(forms.Form):
    period = forms.ChoiceField(
        required=False,
        choices=[("", "any"), *((name, words) for name, (words, _) in PERIODS.items()), (DAYS, "from … to …")],
    )
    from_ = DayField(label="From")
    to = DayField()
    model = forms.CharField(required=False, max_length=64, widget=forms.Select)
    key = forms.ModelChoiceField(APIKey.objects.none(), required=False, empty_label="any")
    member = forms.ModelChoiceField(User.objects.none(), required=False, empty_label="anyone")
    status = forms.ChoiceField(required=False, choices=[("", "any"), *UsageRecord.Status.choices])
    tag = forms.CharField(required=False, max_length=64)
    group = forms.ChoiceField(label="Show", required=False, choices=GROUPS)
    order = forms.ChoiceField(
        required=False, choices=[(Order.NEWEST.value, "newest"), (Order.DEAREST.value, "dearest")]
    )

    def __init__(self, data: Any, *, membership: Membership, models: list[str]) -> None:
        if "period" not in data and ("from" in data or "to" in data):
            data = data.copy()
            data["period"] = DAYS
        super().__init__(data)
        self.zone = ZoneInfo(membership.organization.time_zone)
        widget = self.fields["model"].widget
        assert isinstance(widget, forms.Select)
        widget.choices = [("", "any"), *((slug, slug) for slug in models)]
        self._choose("key", APIKey.objects.visible_to(membership).order_by("name", "pk"))
        if membership.role == Membership.Role.MEMBER:
            del self.fields["member"]
            return
        people = User.objects.filter(memberships__organization=membership.organization_id).order_by("email")
        self._choose("member", people)
        group = self.fields["group"]
        assert isinstance(group, forms.ChoiceField)
        group.choices = [*GROUPS[:4], ("member", "member"), *GROUPS[4:]]

    def _choose(self, name: str, rows: Any) -> None:
        """Take any of the rows; offer the first of them, and the one that the address names."""
        choice = self.fields[name]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = rows
        offered = list(rows[:MOST_CHOICES])
        if len(offered) == MOST_CHOICES and (asked := self.data.get(name, "")).isdecimal() and len(asked) < 19:
            offered += [row for row in rows.filter(pk=asked) if row not in offered]
        words = [(row.pk, choice.label_from_instance(row)) for row in offered]
        choice.widget.choices = [("", choice.empty_label), *words]

    def add_prefix(self, field_name: str) -> str:
        return field_name.rstrip("_")  # "from" is no name for a Python attribute

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        first, last = data.get("from_"), data.get("to")
        if data.get("period") == DAYS and first and last and first > last:
            self.add_error("to", "This day lies before the first one.")
        return data

    def wanted(self) -> UsageFilter:
        """Return what the valid fields ask for."""
        data = self.cleaned_data
        since, until = self._span()
        return UsageFilter(
            since=since,
            until=until,
            status=data.get("status", ""),
            model=data.get("model", ""),
            key=data["key"].pk if data.get("key") else None,
            user=data["member"].pk if data.get("member") else None,
            tag=data.get("tag", ""),
        )

    def _span(self) -> tuple[datetime | None, datetime | None]:
        first, end = self._days()
        since, until = (local_midnight(day, self.zone) if day else None for day in (first, end))
        return since, until

    def _days(self) -> tuple[date | None, date | None]:
        period = self.cleaned_data.get("period", "")
        if period in PERIODS:
            return PERIODS[period][1](timezone.now().astimezone(self.zone).date())
        if period != DAYS:
            return None, None
        last = self.cleaned_data.get("to")
        return self.cleaned_data.get("from_"), _later(last, 1) if last else None


def _later(day: date, days: int) -> date:
    return day + timedelta(days=days)
