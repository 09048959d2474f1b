"""Budget windows: the days and months of an organization's own time zone.

A window is a row with two instants and its limit. It is current while now lies
between them; the next one begins where the last one ends, at the next local midnight
of the zone then in force, so that a change of zone can't open a day twice.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F

from accounts import keys
from accounts.models import APIKey
from billing import locks, rows
from billing.models import Limit

WINDOW_KINDS = (Limit.Kind.KEY_DAY, Limit.Kind.KEY_MONTH)


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The ids of the limits that a request of a key counts in, and until when they are the current ones."""

    wallet_id: int
    day_id: int
    month_id: int
    day_ends_at: datetime
    month_ends_at: datetime

    @property
    def ids(self) -> tuple[int, int, int]:
        return (self.wallet_id, self.day_id, self.month_id)

    def are_current(self, now: datetime) -> bool:
        return now < self.day_ends_at and now < self.month_ends_at


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC; days of 23 and 25 hours included."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def window_bounds(kind: str, zone: ZoneInfo, now: datetime, last_ends_at: datetime | None) -> tuple[datetime, datetime]:
    """Return start and end (UTC) of the window of this kind that holds ``now``, behind the last one."""
    today = now.astimezone(zone).date()
    if kind == Limit.Kind.KEY_DAY:
        first, following = today, today + timedelta(days=1)
    else:
        first = today.replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
    starts_at, ends_at = local_midnight(first, zone), local_midnight(following, zone)
    if last_ends_at and last_ends_at > starts_at:
        starts_at = last_ends_at
    return starts_at, ends_at


def ensure_wallets(organization_ids: Iterable[int]) -> None:
    """Make the wallets that are missing."""
    Limit.objects.bulk_create(
        [Limit(kind=Limit.Kind.WALLET, organization_id=id_, limit_nanos=0) for id_ in sorted(set(organization_ids))],
        ignore_conflicts=True,
    )


@transaction.atomic
def open_windows(key_ids: Collection[int], *, skip_locked: bool = False) -> dict[int, KeyLimits]:
    """Return the current limits of these keys; windows that are missing are made.

    The wallet's lock makes two processes take turns, so that windows never overlap. With
    ``skip_locked``, keys whose wallet somebody else has locked are left out.
    """
    rows.set_lock_timeout()
    organizations = set(APIKey.objects.filter(pk__in=key_ids).values_list("organization", flat=True))
    ensure_wallets(organizations)
    wallets = dict(
        Limit.objects.filter(kind=Limit.Kind.WALLET, organization__in=organizations).values_list("organization", "pk")
    )
    locked = locks.lock_limits(wallets.values(), skip_locked=skip_locked)
    # Behind the lock, which whoever changes a budget takes too.
    found = APIKey.objects.select_related("organization").filter(pk__in=key_ids)
    now = rows.read_clock()
    return {
        key.pk: _open_key_windows(key, wallets[key.organization_id], now)
        for key in found
        if wallets[key.organization_id] in locked
    }


def _open_key_windows(key: APIKey, wallet_id: int, now: datetime) -> KeyLimits:
    day, month = (_open_window(key, kind, now) for kind in WINDOW_KINDS)
    assert day.ends_at
    assert month.ends_at
    return KeyLimits(wallet_id, day.pk, month.pk, day.ends_at, month.ends_at)


def _open_window(key: APIKey, kind: Limit.Kind, now: datetime) -> Limit:
    last = Limit.objects.filter(key=key, kind=kind).order_by("-starts_at").first()
    if last and last.ends_at and now < last.ends_at:
        return last
    zone = ZoneInfo(key.organization.time_zone)
    starts_at, ends_at = window_bounds(kind, zone, now, last.ends_at if last else None)
    return Limit.objects.create(
        kind=kind,
        organization_id=key.organization_id,
        key=key,
        starts_at=starts_at,
        ends_at=ends_at,
        limit_nanos=_budget(key, kind),
    )


def _budget(key: APIKey, kind: str) -> int | None:
    return key.daily_budget_nanos if kind == Limit.Kind.KEY_DAY else key.monthly_budget_nanos


@transaction.atomic
def update_key(*, key: APIKey, **fields: Any) -> APIKey:
    """Change a key and, in the same moment, the limits of its current windows. Raises KeyInputError.

    A limit below what is spent refuses from now on; running requests end as they began.
    """
    ensure_wallets([key.organization_id])
    wallet = Limit.objects.get(kind=Limit.Kind.WALLET, organization=key.organization_id)
    locks.lock_limits([wallet.pk])  # so that nobody opens a window with the old budget meanwhile
    keys.update_key(key=key, **fields)
    windows = {window.pk: window for window in _current(Limit.objects.filter(key=key))}
    locks.lock_limits(windows)
    for window in windows.values():
        Limit.objects.filter(pk=window.pk).update(limit_nanos=_budget(key, window.kind))
    return key


def _current(windows: "Iterable[Limit]") -> list[Limit]:
    now = rows.read_clock()
    return [w for w in windows if w.starts_at and w.ends_at and w.starts_at <= now < w.ends_at]


def current_windows(*, keys: Iterable[APIKey]) -> dict[int, dict[str, Limit]]:
    """Return key id → kind → current window; a key not used in a window has none yet: nothing spent."""
    found: dict[int, dict[str, Limit]] = {}
    for window in _current(Limit.objects.filter(key__in=list(keys), ends_at__gt=rows.read_clock()).order_by(F("pk"))):
        assert window.key_id
        found.setdefault(window.key_id, {})[window.kind] = window
    return found
