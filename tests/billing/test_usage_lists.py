"""Lists of usage records are read along an index, however many there are."""

import pytest
from django.db import connection

from accounts import keys
from accounts.keys import build_record
from accounts.models import Membership, User
from billing.filters import UsageFilter
from tests.billing.bulk import fill
from tests.services import DATABASE

pytestmark = pytest.mark.skipif(DATABASE == "sqlite", reason="only PostgreSQL explains it in these words")


@pytest.fixture
def owner(make_key, alice) -> Membership:
    return Membership.objects.get(user=alice, organization_id=make_key().organization_id)


def explain(owner: Membership, filters: UsageFilter) -> str:
    """Return how PostgreSQL reads a page where there are many records."""
    ways = ("seqscan", "sort", "incremental_sort", "bitmapscan")  # that a small table may take
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL enable_{way} = off" for way in ways))
    return filters.records(owner).order_by("-created_at", "-id")[:51].explain()


def test_the_newest_are_read_in_their_order(owner):
    assert "usage_by_organization" in explain(owner, UsageFilter())


@pytest.mark.parametrize("status", ["failed", "aborted"])
def test_what_went_wrong_is_read_by_itself(owner, status):
    plan = explain(owner, UsageFilter(status=status))
    assert "usage_went_wrong" in plan and "Sort" not in plan


def test_a_keys_requests_are_read_in_their_order(owner):
    key = owner.organization.keys.get()
    plan = explain(owner, UsageFilter(key=key.pk))
    assert "usage_by_key" in plan and "Sort" not in plan


def test_what_has_a_tag_is_read_by_itself(owner):
    plan = explain(owner, UsageFilter(tag="shop"))
    assert "usage_tagged" in plan and "Sort" not in plan


def test_a_plain_members_own_need_no_join(owner):
    owner.role = Membership.Role.MEMBER
    plan = explain(owner, UsageFilter())
    assert "accounts_apikey" not in plan


def test_a_plain_members_few_are_found_by_their_keys_and_by_themselves(owner, price):
    """Among many records of others, none of which is read."""
    fill(2000, build_record(owner.organization.keys.select_related("organization").get()), price)
    carol = User.objects.create_user("carol@example.com")
    member = Membership.objects.create(user=carol, organization=owner.organization)
    keys.create_key(organization=owner.organization, created_by=carol, name="her own")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE billing_usagerecord")
    plan = UsageFilter().records(member).order_by("-created_at", "-id")[:51].explain()
    assert ("usage_by_key" in plan or "usage_by_hour" in plan) and "usage_by_user" in plan
