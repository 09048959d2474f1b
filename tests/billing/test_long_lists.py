"""Lists of usage are the records in order, the newest or the dearest first, found without reading the others."""

from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts.models import APIKey, Membership
from billing import rollups, rows, usage
from billing.filters import ALL, UsageFilter
from billing.models import Rollup, UsageRecord
from billing.models.usage import UNKNOWN_NANOS
from tests.billing.adding import NOON
from tests.billing.bulk import fill
from tests.services import DATABASE

HOURS = 30
MANY = 20_000


@pytest.fixture
def member(write, clock, alice) -> Membership:
    """Who owns an organization with records of 30 hours, many of one charge; the last hour is in no roll-up."""
    clock.now = NOON
    for minute in range(0, HOURS * 60, 10):
        write(NOON + timedelta(minutes=minute), charge_nanos=minute % 70)
        clock.now = NOON + timedelta(minutes=minute + 1)
        if minute == HOURS * 60 - 90:
            rollups.roll_up()
    return Membership.objects.filter(user=alice).order_by("pk")[0]


def read_all(membership: Membership, filters: UsageFilter, order: str = "dearest") -> list[Any]:
    """Return the ids of a list, page by page."""
    found, after = [], ""
    while True:
        page = usage.list_records(membership=membership, filters=filters, order=order, after=after, size=7)
        found += [row.pk for row in page.rows]
        if not (after := page.next):
            return found


def sort(membership: Membership, filters: UsageFilter, order: str = "dearest") -> list[Any]:
    """Return what a list must hold."""
    columns = ("-charge_nanos", "-created_at", "-id") if order else ("-created_at", "-id")
    return list(filters.records(membership).order_by(*columns).values_list("pk", flat=True))


@pytest.mark.parametrize("order", ["", "dearest"])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"model": "kimi"},
        {"model": "nobody's"},
        {"status": "completed"},
        {"status": "failed"},
        {"tag": "shop"},
        {"since": NOON + timedelta(minutes=95), "until": NOON + timedelta(hours=25, minutes=7)},
        {"since": NOON + timedelta(hours=29), "model": "kimi"},
        {"since": NOON + timedelta(minutes=10), "until": NOON + timedelta(minutes=50)},
    ],
    ids=str,
)
def test_pages_hold_each_record_once_in_order(member, filters, order) -> None:
    assert read_all(member, UsageFilter(**filters), order) == sort(member, UsageFilter(**filters), order)


@pytest.mark.parametrize("order", ["", "dearest"])
def test_keys_and_members_find_their_own(member, alice, order) -> None:
    key = member.organization.keys.get()
    for asked in (UsageFilter(key=key.pk), UsageFilter(user=alice.pk), UsageFilter(user=alice.pk + 1)):
        assert read_all(member, asked, order) == sort(member, asked, order)


@pytest.mark.parametrize("order", ["", "dearest"])
def test_what_was_asked_long_ago_is_found(member, order) -> None:
    """Of one model little, and much before that."""
    asked = UsageFilter(model="kimi")
    of_kimi = asked.records(member)
    of_kimi.filter(created_at__gte=NOON + timedelta(hours=7)).update(model="other")
    UsageRecord.objects.filter(pk=sort(member, UsageFilter(), "")[30]).update(model="kimi")
    for hour in range(2 * HOURS):
        rollups._rebuild_hour(NOON + timedelta(hours=hour))
    assert len(of_kimi.all()) > 7
    assert read_all(member, asked, order) == sort(member, asked, order)


def test_a_key_that_was_handed_over_is_its_new_owners(member, django_user_model) -> None:
    carol = django_user_model.objects.create_user("carol@example.com")
    hers = Membership.objects.create(user=carol, organization=member.organization)
    APIKey.objects.filter(organization=member.organization).update(created_by=carol)
    for order in ("", "dearest"):
        assert read_all(hers, ALL, order) == sort(member, ALL, order)


def test_a_roll_up_knows_the_highest_charge(member) -> None:
    for row in Rollup.objects.filter(hour__lt=NOON + timedelta(hours=HOURS - 2)):
        same = {"key": row.key_id, "model": row.model, "upstream": row.upstream}
        within = UsageRecord.objects.filter(created_at__gte=row.hour, created_at__lt=row.hour + timedelta(hours=1))
        assert row.dearest_nanos == max(within.filter(**same).values_list("charge_nanos", flat=True))
    found = dict(Rollup.objects.values_list("pk", "dearest_nanos"))
    rollups.rebuild(NOON.date())
    assert dict(Rollup.objects.values_list("pk", "dearest_nanos")) == found


def test_roll_ups_whose_highest_charge_is_unknown_are_looked_into(member) -> None:
    Rollup.objects.update(dearest_nanos=UNKNOWN_NANOS)
    assert read_all(member, ALL) == sort(member, ALL)


def test_the_migration_looks_for_the_highest_charges_of_old_roll_ups(member) -> None:
    old = Rollup.objects.filter(hour__lt=NOON + timedelta(hours=HOURS - 5))
    wanted = dict(old.values_list("pk", "dearest_nanos"))
    Rollup.objects.update(dearest_nanos=UNKNOWN_NANOS)
    import_module("billing.migrations.0014_usage_by_hour").fill(apps, None)
    assert all(wanted[pk] <= found < UNKNOWN_NANOS for pk, found in old.values_list("pk", "dearest_nanos"))


def test_roll_ups_of_forgotten_records_are_passed_over(member) -> None:
    UsageRecord.objects.filter(created_at__lt=NOON + timedelta(hours=20)).delete()
    for order in ("", "dearest"):
        assert read_all(member, UsageFilter(model="kimi"), order) == sort(member, UsageFilter(model="kimi"), order)


@pytest.fixture
def many(make_key, price, alice) -> Membership:
    """Who owns an organization with many records of 150 hours: of a dear model, a cheap one, one given up early."""
    key = make_key(credit=1000)
    fill(MANY, key, price, hours=150, models=("cheap", "dear"))
    rows.execute("UPDATE billing_usagerecord SET charge_nanos = abs(hashtext(id::text)) %% 1000")
    UsageRecord.objects.filter(model="dear").update(charge_nanos=F("charge_nanos") + 1000)
    early = UsageRecord.objects.order_by("created_at").values_list("pk", flat=True)[: MANY // 30]
    UsageRecord.objects.filter(pk__in=list(early)).update(model="given up")
    rollups.roll_up()
    rows.execute("ANALYZE billing_usagerecord, billing_rollup")
    return Membership.objects.get(user=alice, organization_id=key.organization_id)


@pytest.mark.skipif(DATABASE == "sqlite", reason="only PostgreSQL tells how many rows it has read")
def test_few_of_many_records_are_read(many) -> None:
    """A tenth at the most, for two pages of 50, whether they lie among dearer or newer ones or are not there at all."""
    for order in ("", "dearest"):
        for asked in (ALL, *(UsageFilter(model=model) for model in ("cheap", "dear", "given up", "nobody's"))):
            with CaptureQueriesContext(connection) as queries:
                first = usage.list_records(membership=many, filters=asked, order=order)
                usage.list_records(membership=many, filters=asked, order=order, after=first.next)
            assert sum(count_read(query["sql"]) for query in queries.captured_queries) < MANY / 10, (order, asked)


def count_read(query: str) -> int:
    """Return how many usage records PostgreSQL reads for a query, those that it drops too."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
        [[[explained]]] = cursor.fetchall()
    return sum(_list_read(explained["Plan"]))


def _list_read(node: dict[str, Any]) -> Iterator[float]:
    if node.get("Relation Name") == UsageRecord._meta.db_table:
        dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        yield node["Actual Loops"] * (node["Actual Rows"] + dropped)
    for inner in node.get("Plans", ()):
        yield from _list_read(inner)
