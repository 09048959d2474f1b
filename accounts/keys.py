"""API keys: their secrets, how they are made and changed, and how `/v1` finds them.

A secret is ``sk-smt-`` + 32 random letters and digits + a checksum of 6: a typo is
refused without asking the database. Only the SHA-256 digest is stored.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import string
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import audit
from accounts.models import APIKey, Membership, Organization, User, Version
from accounts.reader import Reader
from accounts.versions import KEYS, VersionWatch

PREFIX = "sk-smt-"
PREFIX_LENGTH = len(PREFIX) + 4
"""So much of a secret is stored and shown, to tell keys apart."""
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6
ALPHABET = string.ascii_letters + string.digits
SECRET_PATTERN = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}")

LAST_YEAR = 2999
"""An instant close to the last one that Python knows has no date in some time zones."""

RECORD_SECONDS = 30.0
UNKNOWN_SECONDS = 10.0
CACHE_ENTRIES = 50_000
UNKNOWN_ENTRIES = 5_000


class KeyInputError(ValueError):
    """A key that can't be made as asked; the message is for people."""


class Secret(str):
    """A key's secret: shown once, never printed by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    letters = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        letters += ALPHABET[digit]
    return letters


def generate_secret() -> Secret:
    """Return a new secret, 190 bits of randomness."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return Secret(PREFIX + body + _checksum(body))


def is_well_formed(secret: str) -> bool:
    """Tell whether this has the form and the checksum of a secret."""
    if not SECRET_PATTERN.fullmatch(secret):
        return False
    body = secret[len(PREFIX) : -CHECKSUM_LENGTH]
    return hmac.compare_digest(_checksum(body), secret[-CHECKSUM_LENGTH:])


def digest_secret(secret: str) -> bytes:
    """Return the SHA-256 digest under which a secret is stored."""
    return hashlib.sha256(secret.encode()).digest()


# --- making and changing keys ----------------------------------------------


@transaction.atomic
def create_key(
    *, organization: Organization, created_by: User, name: str, actor: str = "", **fields: Any
) -> tuple[APIKey, Secret]:
    """Make a key; return it with its secret, which is stored nowhere.

    ``actor`` is the command that makes it, empty where ``created_by`` does.

    ``fields``: families, daily_budget_nanos, monthly_budget_nanos,
    requests_per_minute, expires_at, allowed_addresses. Raises KeyInputError.
    """
    _require_member(organization, created_by)
    secret = generate_secret()
    key = APIKey(
        organization=organization,
        created_by=created_by,
        prefix=secret[:PREFIX_LENGTH],
        digest=digest_secret(secret),
    )
    _set_fields(key, name=name, **fields)
    key.save()
    audit.record_created(key, actor=actor or created_by.email)
    return key, secret


def _require_member(organization: Organization, user: User) -> None:
    """Take turns with whoever removes members: nobody may make a key while theirs are being revoked."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if not Membership.objects.filter(organization=organization, user=user).exists():
        raise KeyInputError(f"{user} is no member of {organization} any more.")


@transaction.atomic
def update_key(*, key: APIKey, actor: str = audit.SITE, **fields: Any) -> APIKey:
    """Change the fields that ``create_key`` takes; in force within a second. Raises KeyInputError.

    Only these columns are written, and only while the key lives: whoever revoked it meanwhile has the last word.
    """
    before = audit.read_stored(key)
    _set_fields(key, **fields)
    changed = {name: getattr(key, name) for name in fields}
    if not APIKey.objects.filter(pk=key.pk, revoked_at=None).update(**changed):
        raise KeyInputError("This key is revoked: nothing can be changed any more.")
    audit.record_changed(key, before=before, actor=actor)
    return key


@transaction.atomic
def revoke_key(*, key: APIKey, actor: str = audit.SITE) -> None:
    """End a key for good; its running answers are cut. Twice is as good as once."""
    now = timezone.now()
    if APIKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        audit.record(
            actor=actor,
            action="key.revoke",
            target=f"API key {key}",
            organization=key.organization,
            after={"revoked_at": now},
        )
    key.refresh_from_db(fields=["revoked_at"])


def playground_key(*, organization: Organization, user: User) -> APIKey:
    """Return the organization's Playground key: it has no digest, so that `/v1` can't accept it."""
    key: APIKey | None = APIKey.objects.filter(organization=organization, kind=APIKey.Kind.PLAYGROUND).first()
    return key or _create_playground_key(organization, user)


@transaction.atomic
def _create_playground_key(organization: Organization, user: User) -> APIKey:
    key, is_new = APIKey.objects.get_or_create(
        organization=organization,
        kind=APIKey.Kind.PLAYGROUND,
        defaults={"created_by": user, "name": "Playground", "prefix": "playground"},
    )
    if is_new:
        audit.record_created(key, actor=user.email)
    return key


FIELDS = (
    "name",
    "families",
    "daily_budget_nanos",
    "monthly_budget_nanos",
    "requests_per_minute",
    "expires_at",
    "allowed_addresses",
)


def _set_fields(key: APIKey, **fields: Any) -> None:
    for name, value in fields.items():
        if name not in FIELDS:
            raise TypeError(f"a key has no field {name!r} to set")
        setattr(key, name, list(value) if name in ("families", "allowed_addresses") else value)
    key.name = key.name.strip()
    if not key.name:
        raise KeyInputError("Give the key a name.")
    for budget in (key.daily_budget_nanos, key.monthly_budget_nanos):
        if budget is not None and budget < 0:
            raise KeyInputError("A budget can't be negative.")
    if key.requests_per_minute is not None and key.requests_per_minute < 1:
        raise KeyInputError("Requests per minute must be 1 or more; leave it empty for no limit.")
    key.allowed_addresses = [str(network) for network in _parse_networks(key.allowed_addresses)]


def _parse_networks(texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            raise KeyInputError(
                f"{text.strip()[:60]!r} is not an address or a network such as 203.0.113.0/24."
            ) from None
    return tuple(networks)


def search_keys(keys: "QuerySet[APIKey]", asked: str) -> "QuerySet[APIKey]":
    """Return those of the keys whose name holds what is asked, or whose secret begins with it."""
    if not asked.startswith(PREFIX):
        return keys.filter(name__icontains=asked) if asked else keys
    prefix = asked[:PREFIX_LENGTH]  # whoever pastes a whole secret finds its key, too
    return keys.filter(Q(prefix__startswith=prefix) | Q(previous_prefix__startswith=prefix))


def find_revoked(key_ids: Iterable[int]) -> set[int]:
    """Return those of these keys whose running answers must be cut."""
    keys = APIKey.objects.filter(pk__in=list(key_ids))
    ended = Q(revoked_at__isnull=False) | Q(organization__closed_at__isnull=False)
    return set(keys.filter(ended).values_list("pk", flat=True))


# --- finding keys on /v1 ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What the gateway knows of a key; never changed, replaced when the row changes."""

    id: int
    organization_id: int
    kind: str
    prefix: str
    name: str
    families: frozenset[str]
    daily_budget_nanos: int | None
    monthly_budget_nanos: int | None
    requests_per_minute: int | None
    allowed: tuple[IPv4Network | IPv6Network, ...]
    may_see_wallet: bool
    expires_at: datetime | None
    is_revoked: bool
    is_closed: bool
    user_id: int | None = None
    is_replaced: bool = False
    """Whether it was found by a secret that another has replaced."""

    def allows_address(self, address: str) -> bool:
        """Tell whether a client at this address may use the key."""
        if not self.allowed:
            return True
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        client = getattr(client, "ipv4_mapped", None) or client
        return any(client in network for network in self.allowed)


def build_record(key: APIKey, *, user: User | None = None, is_replaced: bool = False) -> KeyRecord:
    """Return the gateway's record of a key row (with its organization).

    Where it was found by the secret that was replaced (``is_replaced``), it ends with its grace.
    """
    ends_at = [at for at in (key.expires_at, key.previous_until if is_replaced else None) if at]
    return KeyRecord(
        id=key.pk,
        organization_id=key.organization_id,
        kind=key.kind,
        prefix=key.prefix,
        name=key.name,
        families=frozenset(key.families),
        daily_budget_nanos=key.daily_budget_nanos,
        monthly_budget_nanos=key.monthly_budget_nanos,
        requests_per_minute=key.requests_per_minute,
        allowed=_parse_networks(key.allowed_addresses),
        may_see_wallet=key.may_see_wallet,
        expires_at=min(ends_at, default=None),
        is_revoked=key.revoked_at is not None,
        is_closed=key.organization.closed_at is not None,
        user_id=user.pk if user else None,
        is_replaced=is_replaced,
    )


@dataclass(slots=True)
class _Entry:
    record: KeyRecord | None
    version: int
    expires_at: float = field(default=0.0)


def _fetch(digest: bytes) -> tuple[KeyRecord | None, int]:
    """Return the key of that digest and the version read before it."""
    version = Version.objects.get(name=KEYS).value
    found = APIKey.objects.select_related("organization").filter(Q(digest=digest) | Q(previous_digest=digest)).first()
    return (build_record(found, is_replaced=bytes(found.digest or b"") != digest) if found else None), version


class KeyCache:
    """Secret → KeyRecord for `/v1`, from memory while no key has changed anywhere."""

    def __init__(self, *, watch: VersionWatch, reader: Reader) -> None:
        self._watch = watch
        self._reader = reader
        # Apart, so that no flood of made-up secrets drives out the real ones.
        self._known: dict[bytes, _Entry] = {}
        self._unknown: dict[bytes, _Entry] = {}

    def remember(self, secret: str) -> KeyRecord | None:
        """Return the key with this secret if memory holds it, and what it holds can be trusted."""
        entry = self._known.get(digest_secret(secret))
        return entry.record if entry and self._is_current(entry) else None

    def has_met(self, secret: str) -> bool:
        """Tell whether this secret was a key's when it was last looked up, however long ago."""
        return digest_secret(secret) in self._known

    async def find(self, secret: str) -> KeyRecord | None:
        """Return the key with this secret, or None. Raises DatabaseError when it can't be read."""
        if not is_well_formed(secret):
            return None
        digest = digest_secret(secret)
        entry = self._known.get(digest) or self._unknown.get(digest)
        if entry is None or not self._is_current(entry):
            record, version = await self._reader.run(_fetch, digest)
            entry = _Entry(record, version, time.monotonic() + (RECORD_SECONDS if record else UNKNOWN_SECONDS))
            self._store(digest, entry)
        return entry.record

    def _is_current(self, entry: _Entry) -> bool:
        if self._watch.is_blind or entry.expires_at < time.monotonic():
            return False
        return entry.version >= self._watch.values.get(KEYS, 0)

    def _store(self, digest: bytes, entry: _Entry) -> None:
        self._known.pop(digest, None)
        self._unknown.pop(digest, None)
        entries, most = (self._known, CACHE_ENTRIES) if entry.record else (self._unknown, UNKNOWN_ENTRIES)
        if len(entries) >= most:
            del entries[next(iter(entries))]  # the oldest
        entries[digest] = entry
