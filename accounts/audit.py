"""The audit log: what people and commands change, an entry a row, written in the change's own transaction.

Values are those of the row's fields before and after, only where they differ. What another
row is called stands for it. A secret is never read: binary fields (an encrypted credential)
are only said to be set or forgotten, digests and passwords are left out, and so is a
password inside an address.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import BinaryField, ForeignKey, Model
from django.db.models.deletion import Collector

from accounts.models import APIKey, AuditEntry, Membership, Organization
from accounts.pages import Page, page_by_id

Values = dict[str, Any]
"""A row's values by the names of its fields, as they are in memory: to compare, not to show."""

CATALOGUE = "catalogue"
ENVIRONMENT = "environment"
"""Who changes something at the start of the site: its own catalogue, or a variable of its environment."""

SITE = "site"
"""Who changes something where no person or command is named."""

LEFT_OUT = {"id", "organization", "created_at", "joined_at", "last_login", "password", "digest", "previous_digest"}
NAMES = {APIKey: "key", Membership: "member"}
STATE = {"upstreamhealth", "routehealth"}
"""Tables of what the site itself has seen: no person changes them, they go with what they are about."""

MAX_CHARACTERS = 500
EMPTY: tuple[Any, ...] = (None, "", [], {}, b"")
PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]*@")


def read_values(row: Model) -> Values:
    """Return what a row says now."""
    values = {}
    for field in row._meta.concrete_fields:
        if field.name in LEFT_OUT:
            continue
        value = getattr(row, field.name)
        if isinstance(field, BinaryField):
            value = bytes(value) if value else None
        elif isinstance(field, ForeignKey):
            value = str(value) if value else None
        values[field.name] = value
    return values


def read_stored(row: Model) -> Values:
    """Return what the database says of this row, locked until the transaction ends; nothing if it has none."""
    stored = type(row)._base_manager.select_for_update(no_key=True).filter(pk=row.pk).first()
    return read_values(stored) if stored else {}


def record_created(row: Model, *, actor: str) -> None:
    """Write down a row that was just made."""
    _record_row(row, "create", actor, {}, read_values(row))


def record_changed(row: Model, *, before: Values, actor: str) -> None:
    """Write down what a stored row has become since ``before``; nothing where nothing differs."""
    after = read_stored(row)
    if _find_differing(before, after):
        _record_row(row, "update" if before else "create", actor, before, after)


def record_deleted(row: Model, *, actor: str) -> None:
    """Write down that a row and all that hangs on it are about to be deleted."""
    for doomed in _find_doomed(row):
        if doomed._meta.model_name not in STATE:
            _record_row(doomed, "delete", actor, read_values(doomed), {})


def _find_doomed(row: Model) -> Iterator[Model]:
    """Yield the rows that go with this one, as they are stored: a form may have written into this one."""
    stored = type(row)._base_manager.get(pk=row.pk)
    collector = Collector(using="default", origin=stored)
    collector.collect([stored])
    for rows in collector.data.values():
        yield from rows
    for found in collector.fast_deletes:
        yield from found


def _record_row(row: Model, verb: str, actor: str, before: Values, after: Values) -> None:
    name = NAMES.get(type(row), row._meta.model_name)
    organization = row if isinstance(row, Organization) else getattr(row, "organization", None)
    target = f"{row._meta.verbose_name} {row}"
    record(actor=actor, action=f"{name}.{verb}", target=target, organization=organization, before=before, after=after)


def record(
    *,
    actor: str,
    action: str,
    target: str,
    organization: Organization | None = None,
    before: Values | None = None,
    after: Values | None = None,
) -> AuditEntry:
    """Write one entry. ``actor`` is a person's e-mail address or a command's name, ``action`` such as key.revoke."""
    before, after = before or {}, after or {}
    names = _find_differing(before, after)
    return AuditEntry.objects.create(
        actor=actor[:100],
        organization=organization,
        action=action,
        target=target[:200],
        before={name: _plain(before[name]) for name in names if name in before and not _is_secret(name, before, after)},
        after={
            name: _say(after[name]) if _is_secret(name, before, after) else _plain(after[name])
            for name in names
            if name in after
        },
    )


def list_entries(*, membership: Membership, after: str = "") -> Page:
    """Return a page of the organization's entries that this member may see."""
    return page_by_id(AuditEntry.objects.visible_to(membership), after)


def _find_differing(before: Values, after: Values) -> list[str]:
    """Return the names whose values differ; nothing and an empty text are the same."""
    pairs = ((name, before.get(name), after.get(name)) for name in before | after)
    return [name for name, old, new in pairs if old != new and not (old in EMPTY and new in EMPTY)]


def _is_secret(name: str, *states: Values) -> bool:
    return any(isinstance(values.get(name), bytes) for values in states)


def _say(secret: Any) -> str:
    return "set" if secret else "forgotten"


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it; a long text is cut."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str):
        return PASSWORD_IN_ADDRESS.sub("***@", value)[:MAX_CHARACTERS]
    return value
