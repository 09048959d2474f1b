"""Readers give the records' own figures, to the second, wherever the roll-ups end."""

import random
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import APIKey, Membership, User
from billing import rollups, sums
from billing.models import UsageRecord
from tests.billing.adding import NOON, add_up, place_of


@pytest.fixture
def owner(make_key, alice) -> Membership:
    make_key()
    return Membership.objects.filter(user=alice).earliest("pk")


@pytest.fixture
def traffic(write, owner, clock) -> Membership:
    """Two hundred records of the owner's organization in two days, half of them rolled up."""
    key = APIKey.objects.get(organization=owner.organization_id)
    lots = random.Random(3)
    for _ in range(200):
        write(NOON + timedelta(seconds=lots.randrange(2 * 86400)), key=key)
    write(NOON)  # somebody else's
    clock.now = NOON + timedelta(days=1, minutes=33)
    rollups.roll_up()
    return owner


@pytest.mark.parametrize("group_by", [(), ("hour",), ("model",), ("key", "user", "upstream")])
@pytest.mark.parametrize(
    ("since", "until"),
    [(0, None), (7, None), (65, 66), (61, 178), (7, 60 * 20), (7, 60 * 40 + 1), (60 * 24, 60 * 25), (9000, None)],
)
def test_sums_are_those_of_the_records(traffic, since: int, until: int | None, group_by: tuple[str, ...]) -> None:
    since_at = NOON + timedelta(minutes=since, seconds=11)
    until_at = None if until is None else NOON + timedelta(minutes=until, seconds=13)
    found = sums.sum_usage(membership=traffic, since=since_at, until=until_at, group_by=group_by)
    records = UsageRecord.objects.filter(organization=traffic.organization, created_at__gte=since_at)
    if until_at:
        records = records.filter(created_at__lt=until_at)
    values = {"hour": 0, "key": 1, "user": 2, "model": 3, "upstream": 4}
    expected = add_up(records, lambda record: tuple(place_of(record)[values[name]] for name in group_by))
    assert found == (expected if group_by else expected or {(): sums.Sums()})


def test_a_mark_that_moves_meanwhile_counts_nothing_twice(traffic, clock, monkeypatch) -> None:
    before = sums.sum_usage(membership=traffic, since=NOON)
    real = sums.sum_records

    def sum_records(*args: Any, **options: Any) -> Any:
        clock.forward(hours=5)
        rollups.roll_up()  # behind the reading of the mark, before the one statement
        return real(*args, **options)

    monkeypatch.setattr(sums, "sum_records", sum_records)
    assert sums.sum_usage(membership=traffic, since=NOON) == before


def test_a_plain_member_sees_sums_of_own_requests(traffic, write, clock) -> None:
    bob = User.objects.create_user("bob@example.com")
    member = Membership.objects.create(user=bob, organization=traffic.organization)
    key = APIKey.objects.get(organization=traffic.organization_id)
    mine = write(clock.now, key=key, user=bob)
    assert sums.sum_usage(membership=member, since=NOON)[()].charge_nanos == mine.charge_nanos
    clock.forward(days=2)
    rollups.roll_up()
    assert sums.sum_usage(membership=member, since=NOON)[()].charge_nanos == mine.charge_nanos


def test_the_operators_sums_are_those_of_all_organizations(traffic) -> None:
    found = sums.sum_site(since=NOON, until=NOON + timedelta(days=2), group_by=("hour", "upstream"))
    expected = add_up(UsageRecord.objects.all(), lambda record: (place_of(record)[0], record.upstream))
    assert found == expected
