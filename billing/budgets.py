"""Budget windows: the days and months of an organization's own time zone.

A window is a row with two instants and its limit. It is current while now lies
between them. The next one begins where the last one ends, and ends at a local midnight
of the zone then in force. Where the zone was changed, that is the first midnight which
leaves the window a day's length (a month's): whoever moves the zone to and fro gets no
budget more often, only a longer day in between.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery

from accounts import audit, keys
from accounts.models import APIKey, Organization
from billing import locks, rows
from billing.models import Hold, Limit

KEYS_AT_ONCE = 20
WINDOW_KINDS = (Limit.Kind.KEY_DAY, Limit.Kind.KEY_MONTH)
SHORTEST: dict[str, timedelta] = {Limit.Kind.KEY_DAY: timedelta(hours=23), Limit.Kind.KEY_MONTH: timedelta(days=26)}
"""Days have 23 hours and more; a February's 28 days can lose 26 hours on a way once round the world."""


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

    @classmethod
    def of_hold(cls, hold: Hold) -> "KeyLimits":
        """Return the limits that a hold was taken from, whether or not they are still the current ones."""
        day_ends_at, month_ends_at = hold.day.ends_at, hold.month.ends_at
        assert day_ends_at
        assert month_ends_at
        return cls(hold.wallet_id, hold.day_id, hold.month_id, day_ends_at, month_ends_at)

    def are_current(self, now: datetime) -> bool:
        return now < self.day_ends_at and now < self.month_ends_at


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC, also where clocks skip midnight or pass it twice."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def window_bounds(kind: str, zone: ZoneInfo, now: datetime, last_ends_at: datetime | None) -> tuple[datetime, datetime]:
    """Return start and end (UTC) of the window of this kind that holds ``now``, behind the last one."""
    first = _first_day(kind, now.astimezone(zone).date())
    while (starts_at := local_midnight(first, zone)) > now:  # a clock set back over midnight
        first = _first_day(kind, first - timedelta(days=1))
    shortest = timedelta(0)
    if last_ends_at and last_ends_at > starts_at:
        starts_at, shortest = last_ends_at, SHORTEST[kind]
    following = _next_first_day(kind, first)
    while (ends_at := local_midnight(following, zone)) <= now or ends_at - starts_at < shortest:
        following = _next_first_day(kind, following)
    return starts_at, ends_at


def _first_day(kind: str, day: date) -> date:
    return day if kind == Limit.Kind.KEY_DAY else day.replace(day=1)


def _next_first_day(kind: str, first: date) -> date:
    if kind == Limit.Kind.KEY_DAY:
        return first + timedelta(days=1)
    return (first + timedelta(days=32)).replace(day=1)


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
    rows.set_guards()
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
    if last and _is_open(last, now):
        return last
    window = _next_window(key, kind, ZoneInfo(key.organization.time_zone), now, last)
    window.save(force_insert=True)
    return window


def _is_open(last: Limit, now: datetime) -> bool:
    return last.ends_at is not None and now < last.ends_at


def _next_window(key: APIKey, kind: Limit.Kind, zone: ZoneInfo, now: datetime, last: Limit | None) -> Limit:
    """Return the window that holds ``now``, behind the last one; not saved."""
    starts_at, ends_at = window_bounds(kind, zone, now, last.ends_at if last else None)
    return Limit(
        kind=kind,
        organization_id=key.organization_id,
        key=key,
        starts_at=starts_at,
        ends_at=ends_at,
        limit_nanos=_budget(key, kind),
    )


def _budget(key: APIKey, kind: str) -> int | None:
    return key.daily_budget_nanos if kind == Limit.Kind.KEY_DAY else key.monthly_budget_nanos


def open_used_windows() -> int:
    """Open the windows of today and this month for keys that used their last ones; return of how many keys.

    Only for people to see: a request opens what it needs by itself.
    """
    now, used = rows.read_clock(), set[int]()
    keys = APIKey.objects.filter(revoked_at=None, organization__closed_at=None)
    for kind in WINDOW_KINDS:
        last = Limit.objects.filter(key=OuterRef("pk"), kind=kind).order_by("-starts_at")
        spent = Subquery(last.values_list(F("spent_nanos") + F("held_nanos"))[:1])
        ended = keys.annotate(ends_at=Subquery(last.values("ends_at")[:1]), spent=spent)
        used.update(ended.filter(ends_at__lte=now, spent__gt=0).values_list("pk", flat=True))
    return sum(len(open_windows(chunk, skip_locked=True)) for chunk in batched(sorted(used), KEYS_AT_ONCE))


@transaction.atomic
def update_key(*, key: APIKey, actor: str = audit.SITE, **fields: Any) -> APIKey:
    """Change a key and, in the same moment, the limits of its current windows. Raises KeyInputError.

    A limit below what is spent refuses from now on; running requests end as they began.
    """
    ensure_wallets([key.organization_id])
    wallet = Limit.objects.get(kind=Limit.Kind.WALLET, organization=key.organization_id)
    locks.lock_limits([wallet.pk])  # so that nobody opens a window with the old budget meanwhile
    keys.update_key(key=key, actor=actor, **fields)
    windows = Limit.objects.filter(key=key, ends_at__gt=rows.read_clock()).in_bulk()
    locks.lock_limits(windows)
    for window in windows.values():
        Limit.objects.filter(pk=window.pk).update(limit_nanos=_budget(key, window.kind))
    return key


def current_windows(*, keys: Iterable[APIKey]) -> dict[int, dict[str, Limit]]:
    """Return key id → kind → current window; where there is none, the one a request would open now, not saved."""
    listed, now = list(keys), rows.read_clock()
    zones = Organization.objects.filter(pk__in={key.organization_id for key in listed}).values_list("pk", "time_zone")
    zone_of = {pk: ZoneInfo(name) for pk, name in zones}
    latest = _latest_windows(listed, now)
    found: dict[int, dict[str, Limit]] = {}
    for key in listed:
        for kind in WINDOW_KINDS:
            last = latest.get((key.pk, kind))
            if last is None or not _is_open(last, now):
                last = _next_window(key, kind, zone_of[key.organization_id], now, last)
            found.setdefault(key.pk, {})[kind] = last
    return found


def _latest_windows(keys: list[APIKey], now: datetime) -> dict[tuple[int | None, str], Limit]:
    """Return the last windows of these keys, as far as they can have to do with today and this month."""
    day = Q(kind=Limit.Kind.KEY_DAY, ends_at__gt=now - timedelta(days=2))
    month = Q(kind=Limit.Kind.KEY_MONTH, ends_at__gt=now - timedelta(days=33))
    windows = Limit.objects.filter(day | month, key__in=keys).order_by("starts_at")
    return {(window.key_id, window.kind): window for window in windows}
