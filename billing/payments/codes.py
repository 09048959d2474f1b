"""Redeem codes: made by the operator, each gives its credit once, to whoever comes first.

A code is 30 random characters (150 bits) in groups of five. Only its SHA-256 digest is
kept, and its first four characters to tell codes apart; 130 bits stay unknown.
"""

import hashlib
import re
import secrets
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format

from accounts import audit
from accounts.attempts import AttemptLimit, count_attempt
from accounts.keys import Secret
from accounts.models import Organization, User
from billing import ledger, money, rows
from billing.budgets import local_midnight
from billing.models import RedeemCode

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter looks like a digit, and those that do are read as the digit."""
LOOKALIKES = str.maketrans("OIL", "011")
LENGTH, GROUP, HINT = 30, 5, 4
SEPARATORS = re.compile(r"[\s\-‐‑‒–—−]+")
MAX_AT_ONCE = 500
"""Codes made in one transaction: on SQLite it must not keep the gateway waiting."""

LAST_YEAR = 2999

REDEEM_LIMIT = AttemptLimit("redeem", per_user=20, per_address=60)


class CodeError(ValueError):
    """A code that can't be made or redeemed; the message is for people."""


class UnknownCodeError(CodeError):
    """No code, or one that is used up or too late: a stranger is not told which."""

    def __init__(self) -> None:
        super().__init__("This code gives no credit. Compare it with what you were given, or ask who gave it to you.")


class TooManyCodesError(CodeError):
    """This person or address has tried so many codes that none is looked up for a while."""

    def __init__(self) -> None:
        super().__init__("Too many codes were tried from here. Nothing was redeemed: wait ten minutes, then try again.")


def end_of_day(day: date) -> datetime:
    """Return the instant at which a code expires whose last day this is, in UTC. Raises CodeError."""
    if day.year > LAST_YEAR:
        raise CodeError(f"The codes' last day must lie before the year {LAST_YEAR + 1}.")
    return local_midnight(day + timedelta(days=1), ZoneInfo("UTC"))


@transaction.atomic
def make_codes(
    *, count: int, nanos: int, batch: str, created_by: str, expires_at: datetime | None = None
) -> list[Secret]:
    """Make at most MAX_AT_ONCE codes and return them: nothing else ever can."""
    if not 1 <= count <= MAX_AT_ONCE:
        raise CodeError(f"Make 1 to {MAX_AT_ONCE} codes at once.")
    if not 0 < nanos <= ledger.MAX_NANOS:
        raise CodeError("A code must give more than 0 and at most a billion dollars.")
    if expires_at and expires_at <= rows.read_clock():
        raise CodeError("The codes would have expired already: choose a later day.")
    codes = [_make_code() for _ in range(count)]
    RedeemCode.objects.bulk_create(
        RedeemCode(
            digest=_digest(code),
            hint=code[:HINT],
            batch=batch,
            amount_nanos=nanos,
            created_by=created_by[:100],
            expires_at=expires_at,
        )
        for code in codes
    )
    audit.record(
        actor=created_by,
        action="code.create",
        target=f"{count} redeem codes for {batch}",
        after={"count": count, "amount_nanos": nanos, "batch": batch, "expires_at": expires_at},
    )
    return codes


def redeem_code(*, text: str, organization: Organization, user: User, address: str) -> RedeemCode:
    """Add a code's credit to the organization's wallet, once whoever tries. Raises CodeError or LedgerError."""
    if not count_attempt(REDEEM_LIMIT, user=user, address=address):
        raise TooManyCodesError
    digest = _digest(_normalize(text))
    if code := _take(digest, organization, user):
        return code
    code = RedeemCode.objects.filter(digest=digest, organization=organization).select_related("user").first()
    if code is None:
        raise UnknownCodeError
    day = date_format(timezone.localtime(code.redeemed_at), "j F Y")
    amount = money.format_usd(code.amount_nanos)
    raise CodeError(f"This code was redeemed on {day} by {code.user}: its {amount} went into this wallet.")


@transaction.atomic
def _take(digest: bytes, organization: Organization, user: User) -> RedeemCode | None:
    """Mark the code as redeemed and write its credit, both or none; None where somebody else won."""
    now = rows.read_clock()
    is_in_time = Q(expires_at=None) | Q(expires_at__gt=now)
    is_free = RedeemCode.objects.filter(is_in_time, digest=digest, redeemed_at=None)
    if not is_free.update(redeemed_at=now, organization=organization, user=user):
        return None
    code: RedeemCode = RedeemCode.objects.get(digest=digest)
    ledger.grant(
        organization=organization,
        nanos=code.amount_nanos,
        actor=user.email,
        reason=f"Redeem code {code}",
        reference=f"code:{code.pk}",
    )
    return code


def _make_code() -> Secret:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return Secret("-".join(letters[start : start + GROUP] for start in range(0, LENGTH, GROUP)))


def _normalize(text: str) -> str:
    """Return a code as it is made, however it was typed: any case, dashes or spaces, O for 0, I and L for 1."""
    letters = SEPARATORS.sub("", text).upper().translate(LOOKALIKES)
    return "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()
