"""Usage by time, model, key, member and status is what its records add up to."""

from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from accounts.models import APIKey, Membership, User
from billing import breakdown, rollups
from billing.breakdown import break_down
from billing.filters import UsageFilter
from billing.models import UsageRecord
from tests.billing.adding import NOON

DAY = timedelta(days=1)
PLACES = {
    "model": lambda record: record.model,
    "key": lambda record: record.key_id,
    "member": lambda record: record.user_id or record.key.created_by_id,
    "status": lambda record: record.status,
    "tag": lambda record: record.tag,
}


@pytest.fixture
def owner(make_key, alice, write, clock, monkeypatch) -> Membership:
    """The owner of an organization with 120 requests of two keys in six days, some of them rolled up."""
    membership = Membership.objects.filter(user=alice, organization_id=make_key().organization_id).get()
    bob = User.objects.create_user("bob@example.com")
    Membership.objects.create(user=bob, organization=membership.organization)
    first = APIKey.objects.get(organization=membership.organization)
    second = APIKey.objects.create(organization=membership.organization, created_by=bob, name="b", prefix="b")
    for number in range(120):
        write(NOON + number * timedelta(hours=1.13), key=(first, second)[number % 2])
    write(NOON + DAY)  # somebody else's
    clock.now = NOON + 3 * DAY
    rollups.roll_up()
    monkeypatch.setattr(breakdown, "timezone", SimpleNamespace(now=lambda: NOON + 6 * DAY))
    return membership


def ask(owner: Membership, by: str, **filters):
    return break_down(membership=owner, filters=UsageFilter(since=NOON - DAY, **filters), by=by)


def expect(owner: Membership, by: str, **lookups) -> dict:
    found: dict = {}
    records = UsageRecord.objects.filter(organization=owner.organization, **lookups).select_related("key")
    for record in records:
        requests, nanos = found.get(PLACES[by](record), (0, 0))
        found[PLACES[by](record)] = (requests + 1, nanos + record.charge_nanos)
    return found


@pytest.mark.parametrize("by", PLACES)
@pytest.mark.parametrize("status", ["", "completed", "failed", "aborted"])
def test_groups_are_the_sums_of_their_records(owner, by, status):
    groups = {value: (sums.requests, sums.charge_nanos) for value, sums in ask(owner, by, status=status).groups}
    assert groups == expect(owner, by, **({"status": status} if status else {}))
    assert groups


@pytest.mark.parametrize("by", PLACES)
def test_filters_hold_for_records_and_rollups(owner, by):
    key = APIKey.objects.get(name="b")
    for filters, lookups in (
        ({"model": "kimi"}, {"model": "kimi"}),
        ({"key": key.pk}, {"key": key}),
        ({"user": key.created_by_id, "status": "failed"}, {"key": key, "status": "failed"}),
        ({"tag": "shop"}, {"tag": "shop"}),
        ({"tag": "shop", "status": "completed"}, {"tag": "shop", "status": "completed"}),
        ({"until": NOON + 2 * DAY}, {"created_at__lt": NOON + 2 * DAY}),
    ):
        groups = {value: (sums.requests, sums.charge_nanos) for value, sums in ask(owner, by, **filters).groups}
        assert groups == expect(owner, by, **lookups)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_days_are_those_of_the_organization(owner, zone):
    owner.organization.time_zone = zone
    found = {
        bucket.begins_at: sum(one.requests for one in bucket.sums.values()) for bucket in ask(owner, "key").buckets
    }
    expected: dict[date, int] = dict.fromkeys(found, 0)
    for record in UsageRecord.objects.filter(organization=owner.organization):
        expected[record.created_at.astimezone(breakdown.ZoneInfo(zone)).date()] += 1
    assert found == expected


def test_short_spans_are_shown_by_the_hour_and_long_ones_by_the_month(owner):
    assert ask(owner, "model", until=NOON + timedelta(hours=20)).unit == "hour"
    assert ask(owner, "model").unit == "day"
    months = break_down(membership=owner, filters=UsageFilter(since=NOON - 400 * DAY), by="model")
    assert (months.unit, [bucket.begins_at for bucket in months.buckets]) == ("month", [date(2031, 5, 1)])


def test_without_a_start_it_is_thirty_days(owner):
    found = break_down(membership=owner, filters=UsageFilter(), by="model")
    assert len(found.buckets) == 30


def test_a_plain_member_has_own_sums_alone(owner):
    member = Membership.objects.get(user__email="bob@example.com")
    groups = ask(member, "key", user=owner.user_id).groups
    assert groups == []
    assert [value for value, _ in ask(member, "key").groups] == [APIKey.objects.get(name="b").pk]
