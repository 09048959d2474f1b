"""The append-only ledger: wallets, and every movement that is not a request's charge."""

import uuid
from collections.abc import Callable

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts import audit
from accounts.models import Organization
from billing import budgets, locks, money, rows
from billing.locks import LimitRow
from billing.models import LedgerEntry, Limit, UsageRecord

Kind = LedgerEntry.Kind

MAX_NANOS = 10**9 * money.NANOS
"""A ninth of what a column of 64 bits holds."""


class LedgerError(ValueError):
    """A movement that can't be made; the message is for people."""


def get_wallet(*, organization: Organization) -> Limit:
    """Return the organization's wallet, made on first use."""
    wallets = Limit.objects.filter(kind=Limit.Kind.WALLET, organization=organization)
    # Looked for first: whoever only looks at a page must not take SQLite's one place to write.
    if wallet := wallets.first():
        return wallet
    budgets.ensure_wallets([organization.pk])
    return wallets.get()


def grant(
    *, organization: Organization, nanos: int, actor: str, reason: str = "", reference: str | None = None
) -> LedgerEntry:
    """Give credit. The same reference again gives nothing and returns the first entry."""
    _require_above_zero(nanos, "A grant")
    return _add(organization, Kind.GRANT, nanos, actor, reason, reference or uuid.uuid4().hex)


def credit(*, organization: Organization, nanos: int, actor: str, reference: str, reason: str = "") -> LedgerEntry:
    """Add what was paid for. The same reference again adds nothing and returns the first entry."""
    _require_above_zero(nanos, "A credit")
    return _add(organization, Kind.CREDIT, nanos, actor, reason, reference)


def reverse(*, organization: Organization, nanos: int, actor: str, reason: str, reference: str) -> LedgerEntry:
    """Take back credit that the bank took back, even where that leaves less than nothing.

    Then no request is admitted until the balance is above 0 again. Once per reference.
    """
    _require_above_zero(nanos, "A reversal")
    return _add(organization, Kind.REVERSAL, -nanos, actor, reason, reference)


def refund(*, record: UsageRecord, nanos: int, actor: str, reason: str, reference: str) -> LedgerEntry:
    """Give back a request's charge or a part of it, as credit; once per reference, never more than the charge.

    The entry's reference begins with the record's id. What the request has spent of its budgets stays spent.
    """
    _require_above_zero(nanos, "A refund")

    def check(wallet: LimitRow) -> None:
        charge = UsageRecord.objects.values_list("charge_nanos", flat=True).get(pk=record.pk)
        left = charge - sum_refunds(record=record)
        if nanos > left:
            raise LedgerError(
                f"Of the charge of {money.format_exact(charge)}, {money.format_exact(left)} can still be refunded."
            )

    reference = f"{record.pk}:{reference}"
    return _add(record.organization, Kind.REFUND, nanos, actor, reason, reference, check)


def sum_refunds(*, record: UsageRecord) -> int:
    """Return what was given back of a request's charge, in nano-dollars."""
    entries = LedgerEntry.objects.filter(kind=Kind.REFUND, reference__startswith=f"{record.pk}:")
    return sum(entries.values_list("amount_nanos", flat=True))


def payout(*, organization: Organization, nanos: int, actor: str, reason: str, reference: str) -> LedgerEntry:
    """Take out what goes back to the card: at most what is available. Once per reference."""
    _require_above_zero(nanos, "A payout")

    def check(wallet: LimitRow) -> None:
        free = wallet.free or 0
        if nanos > free:
            raise LedgerError(f"{money.format_exact(max(free, 0))} is available: no more can be paid out.")

    return _add(organization, Kind.PAYOUT, -nanos, actor, reason, reference, check)


def adjust(*, organization: Organization, nanos: int, actor: str, reason: str, reference: str) -> LedgerEntry:
    """Correct the balance by a signed amount, by a person's decision; it may become negative. Once per reference."""
    if not nanos:
        raise LedgerError("An adjustment can't be 0.")
    if not reason.strip():
        raise LedgerError("Give the reason of the adjustment.")
    # The gateway's own adjustments are named by their request alone: nobody's reference may stand in their way.
    return _add(organization, Kind.ADJUSTMENT, nanos, actor, reason, f"person:{reference}")


def _require_above_zero(nanos: int, what: str) -> None:
    if nanos <= 0:
        raise LedgerError(f"{what} must be above 0.")


@transaction.atomic
def _add(
    organization: Organization,
    kind: Kind,
    nanos: int,
    actor: str,
    reason: str,
    reference: str,
    check: Callable[[LimitRow], None] = lambda wallet: None,
) -> LedgerEntry:
    """Write one entry and move the wallet's limit by it, once per kind and reference.

    ``check`` gets the locked wallet and raises LedgerError for what must not be; a repetition is not checked again.
    """
    rows.make_durable()
    wallet = get_wallet(organization=organization)
    locked = locks.lock_limits([wallet.pk])[wallet.pk]
    if entry := LedgerEntry.objects.filter(kind=kind, reference=reference).first():
        if (entry.wallet_id, entry.amount_nanos) != (wallet.pk, nanos):
            first = money.format_exact(abs(entry.amount_nanos))
            raise LedgerError(f"This was done before, with {first}; it is not done again with another amount.")
        return entry
    check(locked)
    if abs((locked.limit or 0) + nanos) > MAX_NANOS:
        raise LedgerError("No wallet may hold more than a billion dollars.")
    entry = LedgerEntry.objects.create(
        organization=organization,
        wallet=wallet,
        kind=kind,
        amount_nanos=nanos,
        reference=reference,
        actor=actor[:100],
        reason=reason[:200],
        created_at=rows.read_clock(),
    )
    changes = locks.LimitChanges()
    changes.add([wallet.pk], limit=nanos)
    changes.write()
    _write_audit(entry, (locked.limit or 0) - locked.spent)
    return entry


def _write_audit(entry: LedgerEntry, balance: int) -> None:
    audit.record(
        actor=entry.actor,
        action=f"ledger.{entry.kind}",
        target=entry.get_kind_display(),
        organization=entry.organization,
        before={"balance_nanos": balance},
        after={
            "balance_nanos": balance + entry.amount_nanos,
            "amount_nanos": entry.amount_nanos,
            "reason": entry.reason,
            "reference": entry.reference,
        },
    )


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
