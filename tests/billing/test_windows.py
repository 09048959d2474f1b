"""Budget windows by instants: odd days, odd zones, and zones that change."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import keys
from accounts.keys import KeyInputError
from accounts.models import APIKey, Organization
from billing import budgets
from billing.models import Limit

DAY, MONTH = Limit.Kind.KEY_DAY, Limit.Kind.KEY_MONTH


ZONES = ["UTC", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "hours"),
    [
        ("UTC", "2026-05-05T12:00", 24),
        ("America/Santiago", "2026-09-06T12:00", 23),
        ("America/Santiago", "2026-04-04T12:00", 25),
        ("Asia/Beirut", "2026-03-29T12:00", 23),
        ("Asia/Beirut", "2026-10-24T12:00", 25),
        ("Australia/Lord_Howe", "2026-10-03T20:00", 23.5),
        ("Pacific/Kiritimati", "2026-05-05T12:00", 24),
        ("America/New_York", "2026-11-01T12:00", 25),
        ("Africa/Cairo", "2026-04-24T12:00", 23),
        ("America/Havana", "2026-11-01T12:00", 25),
        ("Australia/Lord_Howe", "2026-04-04T20:00", 24.5),
        ("Pacific/Kiritimati", "2026-12-31T10:00", 24),
    ],
)
def test_a_day_is_as_long_as_it_is_there(zone: str, now: str, hours: float) -> None:
    start, end = budgets.window_bounds(DAY, ZoneInfo(zone), at(now), None)
    assert start <= at(now) < end
    assert end - start == timedelta(hours=hours)


@pytest.mark.parametrize("zone", ["UTC", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia"])
def test_the_days_of_a_year_follow_each_other_without_gap(zone: str) -> None:
    now, last_end = at("2026-01-01T00:00"), None
    for _ in range(366):
        start, end = budgets.window_bounds(DAY, ZoneInfo(zone), now, last_end)
        assert start <= now < end
        assert last_end is None or start == last_end
        now = last_end = end


@pytest.mark.parametrize("zone", ["America/Santiago", "Asia/Beirut", "Africa/Cairo", "America/Havana"])
def test_where_midnight_does_not_exist_the_day_begins_at_the_change(zone: str) -> None:
    days = (date(2026, 1, 1) + timedelta(days=count) for count in range(365))
    firsts = [budgets.local_midnight(day, ZoneInfo(zone)).astimezone(ZoneInfo(zone)) for day in days]
    assert [first.hour for first in firsts if first.hour or first.minute] == [1]


def test_where_clocks_go_back_over_midnight_the_day_goes_on() -> None:
    # In 2006 Newfoundland set its clocks back at 00:01.
    zone, midnight = ZoneInfo("America/St_Johns"), at("2006-10-29T02:30")
    start, end = budgets.window_bounds(DAY, zone, at("2006-10-29T03:00"), midnight)
    assert (start, end) == (midnight, at("2006-10-30T03:30"))


def test_a_month_begins_on_the_first_at_local_midnight() -> None:
    start, end = budgets.window_bounds(MONTH, ZoneInfo("Asia/Shanghai"), at("2026-02-10T00:00"), None)
    assert (start, end) == (at("2026-01-31T16:00"), at("2026-02-28T16:00"))


def test_behind_a_change_of_zone_the_day_is_longer_never_shorter() -> None:
    ended = at("2026-05-06T00:00")
    assert budgets.window_bounds(DAY, ZoneInfo("America/New_York"), ended, ended) == (ended, at("2026-05-07T04:00"))
    assert budgets.window_bounds(DAY, ZoneInfo("Asia/Shanghai"), ended, ended) == (ended, at("2026-05-07T16:00"))


def test_behind_a_change_of_zone_no_rest_of_a_month_is_a_month() -> None:
    ended = at("2026-04-01T00:00")
    assert budgets.window_bounds(MONTH, ZoneInfo("America/New_York"), ended, ended) == (ended, at("2026-05-01T04:00"))
    assert budgets.window_bounds(MONTH, ZoneInfo("Asia/Shanghai"), ended, ended) == (ended, at("2026-04-30T16:00"))


@given(
    moves=st.lists(st.tuples(st.sampled_from(ZONES), st.integers(0, 30 * 60)), min_size=2, max_size=40),
    kind=st.sampled_from([DAY, MONTH]),
)
def test_however_the_zone_is_moved_no_budget_comes_more_often(moves: list[tuple[str, int]], kind: str) -> None:
    now, windows = at("2026-03-27T12:00"), []
    for zone, minutes in moves:
        now += timedelta(minutes=minutes)
        last_end = windows[-1][1] if windows else None
        if last_end and now < last_end:
            now = last_end  # only then a window is opened
        windows.append(budgets.window_bounds(kind, ZoneInfo(zone), now, last_end))
        assert windows[-1][0] <= now < windows[-1][1]
    for (start, end), (next_start, _) in itertools.pairwise(windows):
        assert next_start >= end
        assert next_start - start >= budgets.SHORTEST[kind]


def test_after_days_without_traffic_the_window_is_today(make_key) -> None:
    now = at("2026-05-05T12:00")
    start, end = budgets.window_bounds(DAY, ZoneInfo("UTC"), now, at("2026-05-02T00:00"))
    assert (start, end) == (at("2026-05-05T00:00"), at("2026-05-06T00:00"))


def test_a_change_of_zone_keeps_the_open_window(make_key) -> None:
    key = make_key(zone="Pacific/Kiritimati")
    first = budgets.open_windows([key.id])[key.id]
    Organization.objects.filter(pk=key.organization_id).update(time_zone="Pacific/Pago_Pago")
    assert budgets.open_windows([key.id])[key.id] == first


def test_every_key_has_windows_without_a_budget(make_key) -> None:
    key = make_key()
    limits = budgets.open_windows([key.id])[key.id]
    assert Limit.objects.get(pk=limits.day_id).limit_nanos is None


def test_an_edited_budget_is_in_force_in_the_open_window(make_key) -> None:
    key = make_key(daily_budget_nanos=100)
    limits = budgets.open_windows([key.id])[key.id]
    budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=7)
    assert Limit.objects.get(pk=limits.day_id).limit_nanos == 7


def test_an_edit_that_is_refused_leaves_key_and_window_as_they_were(make_key) -> None:
    key = make_key(daily_budget_nanos=100)
    limits = budgets.open_windows([key.id])[key.id]
    with pytest.raises(KeyInputError):
        budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=7, requests_per_minute=0)
    assert Limit.objects.get(pk=limits.day_id).limit_nanos == 100
    assert APIKey.objects.get(pk=key.id).daily_budget_nanos == 100


def test_an_edit_of_a_key_that_was_revoked_meanwhile_changes_nothing(make_key) -> None:
    stale = APIKey.objects.get(pk=make_key(daily_budget_nanos=100).id)
    keys.revoke_key(key=APIKey.objects.get(pk=stale.pk))
    with pytest.raises(KeyInputError, match="revoked"):
        budgets.update_key(key=stale, daily_budget_nanos=7)
    after = APIKey.objects.get(pk=stale.pk)
    assert after.revoked_at
    assert after.daily_budget_nanos == 100
