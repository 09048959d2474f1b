"""Budget windows by instants: odd days, odd zones, and zones that change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts import keys
from accounts.keys import KeyInputError
from accounts.models import APIKey, Organization
from billing import budgets
from billing.models import Limit

DAY, MONTH = Limit.Kind.KEY_DAY, Limit.Kind.KEY_MONTH


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


def test_a_month_begins_on_the_first_at_local_midnight() -> None:
    start, end = budgets.window_bounds(MONTH, ZoneInfo("Asia/Shanghai"), at("2026-02-10T00:00"), None)
    assert (start, end) == (at("2026-01-31T16:00"), at("2026-02-28T16:00"))


def test_a_day_can_not_be_opened_twice_by_moving_the_zone() -> None:
    now = at("2026-05-05T12:00")
    _, first_end = budgets.window_bounds(DAY, ZoneInfo("Pacific/Kiritimati"), now, None)
    start, end = budgets.window_bounds(DAY, ZoneInfo("Pacific/Pago_Pago"), first_end, first_end)
    assert start == first_end
    assert end > start
    again, _ = budgets.window_bounds(DAY, ZoneInfo("Pacific/Kiritimati"), end, end)
    assert again == end


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
