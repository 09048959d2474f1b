"""What an entry of the audit log says, in words: who reads it need not know a column's name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format

from accounts.models import AuditEntry
from billing import money

VERBS = {
    "create": "added",
    "update": "changed",
    "delete": "removed",
    "revoke": "revoked",
    "rotate": "rotated",
    "put_back": "put back",
}
NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Change:
    """One value in words; before or after is empty where the row was not there, or for a secret."""

    name: str
    before: str
    after: str


def describe_entry(entry: AuditEntry) -> str:
    """Return what was done to what: ``API key nightly (sk-smt-a1b2…) revoked``."""
    verb = VERBS.get(entry.action.rpartition(".")[2], "")
    return f"{entry.target[:1].upper()}{entry.target[1:]} {verb}".strip()


def list_changes(entry: AuditEntry) -> list[Change]:
    """Return the values that differ."""
    return list(_read(entry))


def _read(entry: AuditEntry) -> Iterator[Change]:
    for name in entry.before | entry.after:
        before, after = (_say(name, values[name]) if name in values else "" for values in (entry.before, entry.after))
        yield Change(_name(name), before, after)


def _name(name: str) -> str:
    words = name.removesuffix("_nanos").removesuffix("_at").replace("_", " ")
    return words.replace(" micros", " per 1M tokens")


def _say(name: str, value: Any) -> str:
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_nanos"):
        return money.format_exact(value)
    if name.endswith("_micros"):
        amount = money.usd(value * (money.NANOS // money.MICROS))
        return amount if name.startswith("cost_") else f"${amount}"  # a route's cost is in its own currency
    if name.endswith(("_at", "_until")) and (moment := parse_datetime(str(value))):
        return date_format(timezone.localtime(moment), "j M Y, H:i:s T")
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
