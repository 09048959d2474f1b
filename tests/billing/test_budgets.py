"""Budgets hold without any task: over midnight, over changes of the zone, and when their limit is lowered."""

from accounts.models import APIKey, Organization
from billing import budgets, proof, usage
from billing.models import LedgerEntry, Limit, UsageRecord
from billing.requests import Admission, Refusal
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle, wallet_of

SPENT = Tokens(input=1000, output=1000)
COST = 1000 * 1000 + 1000 * 2000
"""What one request of ``ask`` holds and, with these tokens, is charged."""


def budgets_of(key) -> tuple[usage.Budget, usage.Budget]:
    return usage.read_budgets(keys=[APIKey.objects.get(pk=key.id)])[key.id]


def spend(admissions, request) -> Admission | Refusal:
    """Ask for a hold and, where it is granted, use all of it."""
    [decision] = admissions.admit_batch([request])
    if isinstance(decision, Admission):
        settle_batch([settle(decision, SPENT)])
    return decision


def move(key, zone: str) -> None:
    Organization.objects.filter(pk=key.organization_id).update(time_zone=zone)


def test_a_new_day_has_its_whole_budget_although_nothing_ran_for_three_days(make_key, admissions, ask, clock) -> None:
    key = make_key(daily_budget_nanos=COST, monthly_budget_nanos=3 * COST)
    clock.set("2031-05-05T12:00")
    assert isinstance(spend(admissions, ask(key)), Admission)
    assert isinstance(spend(admissions, ask(key)), Refusal)
    clock.forward(days=3)
    assert isinstance(spend(admissions, ask(key)), Admission)
    day, month = budgets_of(key)
    assert (day.left, month.left) == (0, COST)


def test_a_request_over_midnight_is_charged_to_the_day_that_held_it(make_key, admissions, ask, clock) -> None:
    key = make_key(daily_budget_nanos=COST)
    clock.set("2031-05-05T23:59")
    [admission] = admissions.admit_batch([ask(key)])
    clock.forward(minutes=2)
    settle_batch([settle(admission, SPENT)])
    assert budgets_of(key)[0].left == COST
    assert Limit.objects.get(kind="key_day").spent_nanos == COST


def test_a_zone_moved_twice_in_a_day_gives_nothing_twice(make_key, admissions, ask, clock) -> None:
    key = make_key(daily_budget_nanos=COST, monthly_budget_nanos=COST)
    clock.set("2031-05-31T22:00")
    assert isinstance(spend(admissions, ask(key)), Admission)
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Pacific/Kiritimati", "UTC"):
        move(key, zone)  # where it is tomorrow, and where it is still today
        clock.forward(minutes=20)
        assert isinstance(spend(admissions, ask(key)), Refusal)
    assert Limit.objects.filter(key=key.id).count() == 2


def test_a_moving_owner_has_one_budget_in_any_twenty_three_hours(make_key, admissions, ask, clock) -> None:
    key = make_key(daily_budget_nanos=COST)
    clock.set("2031-05-05T00:00")
    for hour in range(5 * 24):
        move(key, f"Etc/GMT{hour % 24 - 14:+d}" if hour % 24 < 14 else "Pacific/Pago_Pago")
        spend(admissions, ask(key))
        clock.forward(hours=1)
    days = list(Limit.objects.filter(key=key.id, kind="key_day").order_by("starts_at"))
    assert {day.spent_nanos for day in days} == {COST}
    assert len(days) <= 5 * 24 / 23 + 1


def test_a_limit_below_what_is_spent_refuses_from_then_on(make_key, admissions, ask) -> None:
    key = make_key(daily_budget_nanos=10 * COST)
    spend(admissions, ask(key))
    budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=COST // 2)
    refusal = spend(admissions, ask(key))
    assert isinstance(refusal, Refusal)
    assert (refusal.kind, refusal.is_passing) == ("key_day", False)
    assert budgets_of(key)[0].left == 0


def test_a_lowered_limit_lets_running_requests_end_and_be_charged(make_key, admissions, ask) -> None:
    key = make_key(daily_budget_nanos=10 * COST, monthly_budget_nanos=10 * COST)
    [admission] = admissions.admit_batch([ask(key)])
    budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=0, monthly_budget_nanos=1)
    [outcome] = settle_batch([settle(admission, SPENT)])
    assert (outcome.charge, outcome.uncollected) == (COST, 0)
    assert wallet_of(key).spent_nanos == COST
    assert proof.check_books_inside().differences == {}


def test_a_lowered_limit_covers_no_more_than_was_held(make_key, admissions, ask) -> None:
    key = make_key(daily_budget_nanos=10 * COST)
    [admission] = admissions.admit_batch([ask(key)])
    budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=0)
    [outcome] = settle_batch([settle(admission, Tokens(input=2000, output=1000))])
    assert (outcome.charge, outcome.uncollected) == (COST, COST // 3)


def test_an_unused_key_knows_when_its_budgets_reset(make_key, clock) -> None:
    key = make_key(zone="Asia/Beirut", daily_budget_nanos=COST)
    clock.set("2031-05-05T12:00")
    day, month = budgets_of(key)
    assert (day.left, day.ends_at.isoformat()) == (COST, "2031-05-05T21:00:00+00:00")
    assert (month.left, month.ends_at.isoformat()) == (None, "2031-05-31T21:00:00+00:00")


def free(request):
    request.price = type(request.price)(request.price.id, (0, 0, 0))
    return request


def test_what_costs_nothing_leaves_a_record_and_no_entry(make_key, admissions, ask) -> None:
    key = make_key(credit=0)
    [admission] = admissions.admit_batch([free(ask(key))])
    [outcome] = settle_batch([settle(admission, SPENT)])
    assert (admission.amount, outcome.charge, outcome.uncollected) == (0, 0, 0)
    record = UsageRecord.objects.get()
    assert (record.output_tokens, record.charge_nanos, record.held_nanos) == (1000, 0, 0)
    assert not LedgerEntry.objects.exists()
    assert proof.check_books_inside().differences == {}


def test_what_costs_nothing_passes_a_budget_that_is_spent_to_the_end(make_key, admissions, ask) -> None:
    key = make_key(daily_budget_nanos=COST)
    spend(admissions, ask(key))
    [admission] = admissions.admit_batch([free(ask(key))])
    assert isinstance(admission, Admission)


def test_what_costs_nothing_is_refused_where_a_limit_is_overdrawn(make_key, admissions, ask) -> None:
    key = make_key(daily_budget_nanos=COST)
    spend(admissions, ask(key))
    budgets.update_key(key=APIKey.objects.get(pk=key.id), daily_budget_nanos=COST - 1)
    [refusal] = admissions.admit_batch([free(ask(key))])
    assert isinstance(refusal, Refusal)
