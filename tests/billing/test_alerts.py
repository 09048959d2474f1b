"""Alerts are raised at 80 % and 100 % of a budget and at a low balance, once, and lifted when that is over."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import APIKey, Membership, Organization, User
from billing import alerts, budgets, ledger
from billing.models import Alert, Limit
from billing.money import NANOS
from tests.billing.conftest import wallet_of
from tests.services import DATABASE


def spend(key, nanos: int) -> None:
    """Let the key's current windows and wallet have spent this much."""
    budgets.open_windows([key.id])
    Limit.objects.filter(organization=key.organization_id).update(spent_nanos=nanos)


def organization_of(key) -> Organization:
    return Organization.objects.get(pk=key.organization_id)


def open_kinds() -> list[str]:
    return sorted(Alert.objects.filter(lifted_at=None).values_list("kind", flat=True))


@pytest.fixture
def key(make_key):
    """A key with a dollar a day, of an organization with ten dollars."""
    return make_key(credit=10, daily_budget_nanos=NANOS)


@pytest.mark.parametrize(
    ("spent", "kinds"),
    [
        (NANOS * 8 // 10 - 1, []),
        (NANOS * 8 // 10, ["budget_80"]),
        (NANOS - 1, ["budget_80"]),
        (NANOS, ["budget_100"]),
        (3 * NANOS, ["budget_100"]),
    ],
)
def test_a_budget_is_told_at_80_and_100_per_cent(key, spent: int, kinds: list[str]) -> None:
    spend(key, spent)
    alerts.raise_alerts()
    assert open_kinds() == kinds


def test_the_largest_budget_there_is_raises_its_alert(key) -> None:
    budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=10**9 * NANOS)
    spend(key, 9 * 10**8 * NANOS)
    Limit.objects.filter(kind="wallet").update(limit_nanos=10**9 * NANOS)
    alerts.raise_alerts()
    assert open_kinds() == ["budget_80"]


def test_an_alert_is_raised_once_a_window_and_threshold(key, clock) -> None:
    for spent in (8, 9, 10, 11):
        spend(key, spent * NANOS // 10)
        alerts.raise_alerts()
    assert open_kinds() == ["budget_100", "budget_80"]
    clock.forward(days=1)
    spend(key, NANOS)
    alerts.lift_alerts()
    alerts.raise_alerts()
    assert open_kinds() == ["budget_100"]
    assert Alert.objects.count() == 3


def test_two_workers_raise_one_alert(key, monkeypatch) -> None:
    spend(key, NANOS)
    real = Alert.objects.bulk_create

    def create(new, **options):
        monkeypatch.undo()
        alerts.raise_alerts()  # the other one, meanwhile
        return real(new, **options)

    monkeypatch.setattr(Alert.objects, "bulk_create", create)
    alerts.raise_alerts()
    assert open_kinds() == ["budget_100"]


def test_without_a_budget_or_with_none_spent_there_is_no_alert(make_key) -> None:
    spend(make_key(credit=10), NANOS)
    spend(make_key(credit=10, daily_budget_nanos=0), 0)
    alerts.raise_alerts()
    assert open_kinds() == []


def test_the_organizations_setting_is_respected(key) -> None:
    spend(key, NANOS)
    alerts.raise_alerts()
    Organization.objects.update(budget_alerts=False)
    alerts.lift_alerts()
    alerts.raise_alerts()
    assert open_kinds() == []


def test_a_closed_organization_is_left_alone(key, clock) -> None:
    spend(key, 10 * NANOS)
    alerts.raise_alerts()
    Organization.objects.update(closed_at=clock.now)
    alerts.lift_alerts()
    alerts.raise_alerts()
    assert open_kinds() == []


def test_it_is_lifted_when_the_window_ends(key, clock) -> None:
    spend(key, NANOS)
    alerts.raise_alerts()
    alerts.lift_alerts()
    assert open_kinds() == ["budget_100"]
    clock.forward(days=1)
    alerts.lift_alerts()
    assert open_kinds() == []


@pytest.mark.parametrize(
    ("budget", "kinds"), [(None, []), (2 * NANOS, []), (NANOS + 1, ["budget_80"]), (NANOS // 2, ["budget_100"])]
)
def test_it_is_lifted_when_the_budget_is_raised(key, budget: int | None, kinds: list[str]) -> None:
    spend(key, NANOS)
    alerts.raise_alerts()
    budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=budget)
    alerts.lift_alerts()
    alerts.raise_alerts()
    assert open_kinds() == kinds


# --- low balance -------------------------------------------------------------


def test_a_wallet_below_the_line_is_told(make_key) -> None:
    key = make_key(credit=10)
    spend(key, 9 * NANOS)
    alerts.raise_alerts()
    assert open_kinds() == []
    Limit.objects.filter(kind="wallet").update(held_nanos=1)
    alerts.raise_alerts()
    assert open_kinds() == ["low_balance"]


def test_a_new_organization_with_its_first_credit_is_not_told(make_key) -> None:
    spend(make_key(credit=1), NANOS)
    spend(make_key(credit=0), 0)
    alerts.raise_alerts()
    assert open_kinds() == []


def test_a_wallet_from_which_credit_was_taken_back_was_above_the_line_once(make_key) -> None:
    key = make_key(credit=10)
    ledger.reverse(organization=organization_of(key), nanos=10 * NANOS, actor="bank", reason="", reference="dispute")
    alerts.raise_alerts()
    assert open_kinds() == ["low_balance"]


def test_without_a_line_nothing_is_told(make_key) -> None:
    spend(make_key(credit=10), 10 * NANOS)
    Organization.objects.update(low_balance_nanos=None)
    alerts.raise_alerts()
    assert open_kinds() == []


def test_near_the_line_holds_that_come_and_go_raise_it_once(make_key) -> None:
    spend(make_key(credit=10), 9 * NANOS)
    for held in (5, 0, 7, 0, 1):
        Limit.objects.filter(kind="wallet").update(held_nanos=held)
        alerts.raise_alerts()
        alerts.lift_alerts()
    assert Alert.objects.count() == 1
    assert open_kinds() == ["low_balance"]


def test_new_credit_lifts_it_and_the_next_low_balance_is_told_again(make_key) -> None:
    key = make_key(credit=10)
    spend(key, 10 * NANOS)
    alerts.raise_alerts()
    ledger.grant(organization=organization_of(key), nanos=5 * NANOS, actor="test")
    alerts.lift_alerts()
    assert open_kinds() == []
    spend(key, 15 * NANOS)
    alerts.raise_alerts()
    assert Alert.objects.count() == 2


@pytest.mark.parametrize(("credit", "is_open"), [(0.5, True), (1, False)])
def test_credit_that_does_not_reach_the_line_leaves_it_open(make_key, credit: float, is_open: bool) -> None:
    key = make_key(credit=10)
    spend(key, 10 * NANOS)
    alerts.raise_alerts()
    ledger.grant(organization=organization_of(key), nanos=int(credit * NANOS), actor="test")
    alerts.lift_alerts()
    assert (open_kinds() == ["low_balance"]) is is_open


def test_a_lowered_line_lifts_it(make_key) -> None:
    spend(make_key(credit=10), 9_500_000_000)
    alerts.raise_alerts()
    Organization.objects.update(low_balance_nanos=NANOS // 2)
    alerts.lift_alerts()
    assert open_kinds() == []


# --- who sees them -----------------------------------------------------------


def test_the_gravest_of_a_limit_is_shown(key, alice) -> None:
    for spent in (8, 10):
        spend(key, spent * NANOS // 10)
        alerts.raise_alerts()
    [alert] = alerts.list_alerts(membership=Membership.objects.get(user=alice))
    assert alert.kind == "budget_100"


def test_a_window_that_has_ended_is_not_shown_although_no_task_ran(key, alice, clock) -> None:
    spend(key, NANOS)
    alerts.raise_alerts()
    clock.forward(days=1)
    assert alerts.list_alerts(membership=Membership.objects.get(user=alice)) == []


def test_a_plain_member_sees_alerts_of_own_keys_only(key) -> None:
    spend(key, 10 * NANOS)
    alerts.raise_alerts()
    bob = User.objects.create_user("bob@example.com")
    member = Membership.objects.create(user=bob, organization_id=key.organization_id)
    assert alerts.list_alerts(membership=member) == []
    APIKey.objects.update(created_by=bob)
    assert [alert.kind for alert in alerts.list_alerts(membership=member)] == ["budget_100"]
    assert wallet_of(key).free_nanos == 0


@pytest.mark.skipif(DATABASE != "sqlite", reason="only SQLite explains it in these words")
def test_no_wallet_is_summed_by_itself(make_key) -> None:
    spend(make_key(credit=10), 10 * NANOS)
    with CaptureQueriesContext(connection) as caught:
        alerts.raise_alerts()
    asked = [query["sql"] for query in caught if query["sql"].startswith("SELECT")]
    with connection.cursor() as cursor:
        plans = [str(cursor.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()) for sql in asked]
    assert any("billing_ledgerentry" in plan for plan in plans)
    assert not any("CORRELATED" in plan for plan in plans)
