"""What people may write about keys, themselves and their organization."""

from datetime import date, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.utils import timezone

from accounts.keys import LAST_YEAR
from accounts.members import list_heirs, list_keys
from accounts.models import APIKey, Membership, Organization, User
from billing import money
from billing.budgets import local_midnight
from routing.models import Family
from routing.snapshot import served_models

MAX_REQUESTS_PER_MINUTE = 1_000_000
MAX_NETWORKS = 100
FIRST_YEAR = 2000


class USDField(forms.CharField):
    """An amount in US dollars as people write it; its value is in nano-dollars, None where nothing is written."""

    def __init__(self, *, placeholder: str = "no limit", **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": placeholder})
        super().__init__(required=False, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value).removeprefix("$").strip()
        if not text:
            return None
        try:
            return money.parse_usd(text)
        except money.AmountError as error:
            raise forms.ValidationError(f"{error}.") from None

    def prepare_value(self, value: Any) -> Any:
        return money.usd(value) if isinstance(value, int) else value


class DayField(forms.DateField):
    """A day that has a midnight in every time zone."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        super().__init__(required=False, widget=widget, **options)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and not FIRST_YEAR <= value.year <= LAST_YEAR:
            raise forms.ValidationError(f"Write a year between {FIRST_YEAR} and {LAST_YEAR}.")


class KeyForm(forms.Form):
    """Makes a key, or changes the one it was given."""

    name = forms.CharField(max_length=100, help_text="Where the key is used, such as “nightly evaluation”.")
    families = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, help_text="None ticked: every family."
    )
    daily_budget_nanos = USDField(label="Daily budget in USD")
    monthly_budget_nanos = USDField(label="Monthly budget in USD")
    requests_per_minute = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_REQUESTS_PER_MINUTE,
        widget=forms.NumberInput(attrs={"placeholder": "no limit"}),
    )
    expires_on = DayField(label="Last day", help_text="The key works until this day ends. Empty: for good.")
    allowed_addresses = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "203.0.113.0/24", "spellcheck": "false"}),
        help_text="IP addresses or networks, one a line. Empty: from anywhere.",
    )

    def __init__(self, *args: Any, zone: ZoneInfo, key: APIKey | None = None, **options: Any) -> None:
        self.zone = zone
        self.key = key
        if key:
            options["initial"] = _initial(key, zone)
        super().__init__(*args, **options)
        families = self.fields["families"]
        assert isinstance(families, forms.MultipleChoiceField)
        families.choices = _family_choices(key.families if key else [])
        self.fields["daily_budget_nanos"].help_text = f"Days end at midnight in {zone.key}."
        if key and key.kind == APIKey.Kind.PLAYGROUND:
            # It is used by people on this site, not by programs elsewhere.
            for name in ("name", "expires_on", "allowed_addresses"):
                del self.fields[name]

    def clean_expires_on(self) -> date | None:
        day: date | None = self.cleaned_data["expires_on"]
        if day and "expires_on" in self.changed_data and self._end_of(day) <= timezone.now():
            raise forms.ValidationError("This day is over; choose a later one.")
        return day

    def clean_allowed_addresses(self) -> list[str]:
        texts: list[str] = self.cleaned_data["allowed_addresses"].replace(",", " ").split()
        if len(texts) > MAX_NETWORKS:
            raise forms.ValidationError(f"Name at most {MAX_NETWORKS} addresses or networks.")
        for text in texts:
            try:
                ip_network(text, strict=False)
            except ValueError:
                raise forms.ValidationError(
                    f"“{text[:60]}” is not an address or a network such as 203.0.113.0/24."
                ) from None
        return texts

    def key_fields(self) -> dict[str, Any]:
        """Return what ``create_key`` and ``update_key`` take."""
        fields = dict(self.cleaned_data)
        if "expires_on" in fields:
            day = fields.pop("expires_on")
            if "expires_on" in self.changed_data or not self.key:
                fields["expires_at"] = self._end_of(day) if day else None
        return fields

    def _end_of(self, day: date) -> datetime:
        return local_midnight(day + timedelta(days=1), self.zone)


GRACES = {
    "day": ("one day", timedelta(days=1)),
    "week": ("seven days", timedelta(days=7)),
    "hour": ("one hour", timedelta(hours=1)),
    "none": ("not at all: it is refused at once", timedelta(0)),
}


class RotateForm(forms.Form):
    grace = forms.ChoiceField(
        label="The old secret works for",
        widget=forms.RadioSelect,
        choices=[(name, words) for name, (words, _) in GRACES.items()],
        initial="day",
    )

    @property
    def chosen(self) -> timedelta:
        return GRACES[self.cleaned_data["grace"]][1]


def _initial(key: APIKey, zone: ZoneInfo) -> dict[str, Any]:
    last_moment = key.expires_at - timedelta(microseconds=1) if key.expires_at else None
    return {
        "name": key.name,
        "families": key.families,
        "daily_budget_nanos": key.daily_budget_nanos,
        "monthly_budget_nanos": key.monthly_budget_nanos,
        "requests_per_minute": key.requests_per_minute,
        "expires_on": last_moment.astimezone(zone).date() if last_moment else None,
        "allowed_addresses": "\n".join(key.allowed_addresses),
    }


def _family_choices(chosen: list[str]) -> list[tuple[str, str]]:
    """Return the families that are served, and those the key already names."""
    served = Family.objects.filter(models__slug__in=served_models()) | Family.objects.filter(slug__in=chosen)
    return [(family.slug, family.name) for family in served.distinct()]


class ManagementKeyForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Which program acts with it, such as “key rotation job”.")


class InviteForm(forms.Form):
    """Who is invited, and as what."""

    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(choices=[("member", "Member"), ("admin", "Admin"), ("owner", "Owner")])


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Membership.Role.choices)


class HeirField(forms.ModelChoiceField):
    def __init__(self, *args: Any, words: str = "{}", **options: Any) -> None:
        super().__init__(*args, **options)
        self.words = words

    def label_from_instance(self, heir: Any) -> str:
        return self.words.format(heir.user)


class PartingForm(forms.Form):
    """What becomes of the keys of somebody who goes: who leaves by themselves sees the owners' names alone."""

    heir = HeirField(
        Membership.objects.none(),
        label="Keys",
        required=False,
        empty_label="Revoke",
        words="Hand over to {}",
        help_text="What is handed over works on with its budgets and limits. "
        "The old secrets stay known to who goes: rotate the keys soon.",
    )

    def __init__(self, data: Any, *, membership: Membership, is_self: bool) -> None:
        super().__init__(data)
        heir = self.fields["heir"]
        assert isinstance(heir, HeirField)
        heirs = list_heirs(organization_id=membership.organization_id, user_id=membership.user_id)
        heir.queryset = heirs.filter(role=Membership.Role.OWNER) if is_self else heirs
        if not list_keys(membership=membership).exists():
            del self.fields["heir"]


class HandOverForm(forms.Form):
    heir = HeirField(
        Membership.objects.none(),
        label="To whom",
        empty_label="choose one",
        help_text="The key works on with its budgets and limits. Its secret stays known to whoever has it: "
        "rotate it if that must end.",
        error_messages={"required": "Choose a member."},
    )

    def __init__(self, data: Any, *, key: APIKey) -> None:
        super().__init__(data)
        heir = self.fields["heir"]
        assert isinstance(heir, HeirField)
        heir.queryset = list_heirs(organization_id=key.organization_id, user_id=key.created_by_id)


class CloseForm(forms.Form):
    """Asks for the person's own address, so that nobody closes an account by a slip."""

    email = forms.CharField(
        label="Write your e-mail address", max_length=254, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, email: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.own = email

    def clean_email(self) -> str:
        text: str = self.cleaned_data["email"].strip().lower()
        if text != self.own:
            raise forms.ValidationError(f"This is not the address of this account, {self.own}.")
        return text


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name"]
        labels = {"name": "Your name"}


class OrganizationForm(forms.ModelForm):
    time_zone = forms.ChoiceField(
        help_text="Budget days and months begin at midnight there; times are shown in it. "
        "After a change, the open day and month end as they began, and the next may be longer."
    )
    low_balance_nanos = USDField(
        label="Low balance in USD",
        placeholder="never",
        help_text="Owners get a mail when less than this is available. Empty: never.",
    )

    class Meta:
        model = Organization
        fields = ["name", "time_zone", "budget_alerts", "low_balance_nanos"]
        labels = {"budget_alerts": "Mail at 80 % and 100 % of a budget"}
        help_texts = {"budget_alerts": "To owners and admins, once for each day or month of a key."}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = [(name, name.replace("_", " ")) for name in _zone_names(self.instance.time_zone)]


def _zone_names(current: str) -> list[str]:
    return ["UTC", *sorted(_list_places() | ({current} - {"UTC"}))]


@cache
def _list_places() -> frozenset[str]:
    """Return the zones called after places; they are files, of which there are hundreds."""
    old = ("Etc/", "US/", "Canada/", "Brazil/", "Chile/", "Mexico/", "SystemV/", "posix/", "right/")
    return frozenset(name for name in available_timezones() if "/" in name and not name.startswith(old))
