"""The append-only ledger: wallets, and every movement that is not a request's charge."""

import uuid

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.models import Organization
from billing import budgets, locks, money, rows
from billing.models import LedgerEntry, Limit

Kind = LedgerEntry.Kind

MAX_NANOS = 10**9 * money.NANOS
"""A ninth of what a column of 64 bits holds."""


class LedgerError(ValueError):
    """A movement that can't be made; the message is for people."""


def get_wallet(*, organization: Organization) -> Limit:
    """Return the organization's wallet, made on first use."""
    budgets.ensure_wallets([organization.pk])
    return Limit.objects.get(kind=Limit.Kind.WALLET, organization=organization)


def grant(
    *, organization: Organization, nanos: int, actor: str, reason: str = "", reference: str | None = None
) -> LedgerEntry:
    """Give credit. The same reference again gives nothing and returns the first entry."""
    if nanos <= 0:
        raise LedgerError("A grant must be above 0.")
    return _add(organization, Kind.GRANT, nanos, actor, reason, reference or uuid.uuid4().hex)


def credit(*, organization: Organization, nanos: int, actor: str, reference: str, reason: str = "") -> LedgerEntry:
    """Add what was paid for. The same reference again adds nothing and returns the first entry."""
    if nanos <= 0:
        raise LedgerError("A credit must be above 0.")
    return _add(organization, Kind.CREDIT, nanos, actor, reason, reference)


def reverse(*, organization: Organization, nanos: int, actor: str, reason: str, reference: str) -> LedgerEntry:
    """Take back credit that the bank took back, even where that leaves less than nothing."""
    if nanos <= 0:
        raise LedgerError("A reversal must be above 0.")
    return _add(organization, Kind.REVERSAL, -nanos, actor, reason, reference)


@transaction.atomic
def _add(organization: Organization, kind: Kind, nanos: int, actor: str, reason: str, reference: str) -> LedgerEntry:
    """Write one entry and move the wallet's limit by it, once per kind and reference."""
    wallet = get_wallet(organization=organization)
    locked = locks.lock_limits([wallet.pk])[wallet.pk]
    if abs((locked.limit or 0) + nanos) > MAX_NANOS:
        raise LedgerError("No wallet may hold more than a billion dollars.")
    entry, is_new = LedgerEntry.objects.get_or_create(
        kind=kind,
        reference=reference,
        defaults={
            "organization": organization,
            "wallet": wallet,
            "amount_nanos": nanos,
            "actor": actor[:100],
            "reason": reason[:200],
            "created_at": rows.read_clock(),
        },
    )
    if is_new:
        changes = locks.LimitChanges()
        changes.add([wallet.pk], limit=nanos)
        changes.write()
    return entry


POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION smartoken_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only';
END $$
"""


def install_append_only(database: BaseDatabaseWrapper) -> None:
    """Let the database itself refuse to change or delete an entry."""
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTION)
        for event in ("update", "delete"):
            name = f"billing_ledgerentry_no_{event}"
            if database.vendor == "postgresql":
                cursor.execute(
                    f"CREATE OR REPLACE TRIGGER {name} BEFORE {event} ON billing_ledgerentry "
                    "FOR EACH ROW EXECUTE FUNCTION smartoken_refuse_change()"
                )
            else:
                cursor.execute(
                    f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {event} ON billing_ledgerentry "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                )
