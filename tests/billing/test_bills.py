"""Bills are stored, replaced when they come again, and compared with what we reckoned."""

from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from accounts.models import AuditEntry
from billing import rollups
from billing.books import chunks
from billing.books.billfiles import Line
from billing.books.bills import import_bill, remove_lines
from billing.books.drift import last_billed_day, list_drifts
from billing.books.margins import add_up, list_margins
from billing.models import BillLine
from tests.billing.adding import NOON

DAY = NOON.date()
UTC_ZONE, CHINA = ZoneInfo("UTC"), ZoneInfo("Asia/Shanghai")
PROVIDERS = {"first": "deepseek", "second": "deepseek", "third": "moonshot"}


def line(model: str = "m", day: date = DAY, tokens: int = 10, cost: str = "1") -> Line:
    return Line(day, model, tokens, Decimal(cost), "CNY", Decimal("0.14"))


def test_a_bill_is_stored_with_the_rate_that_was_used(db):
    imported = import_bill(provider="deepseek", lines=[line(), line("n")], actor="root@example.com")
    assert str(imported) == "2 lines of 2031-05-05: 2 new, 0 replaced; $0.2800 in all"
    row = BillLine.objects.get(model="m")
    assert (row.cost, row.currency, row.rate, row.cost_nanos) == (Decimal(1), "CNY", Decimal("0.14"), 140_000_000)
    assert (row.imported_by, AuditEntry.objects.get().action) == ("root@example.com", "bill.import")


def test_the_same_day_and_model_again_is_replaced(db, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 2)
    days = [DAY + timedelta(days=number) for number in range(5)]
    import_bill(provider="deepseek", lines=[line(day=day) for day in days], actor="test")
    import_bill(provider="moonshot", lines=[line(day=DAY)], actor="test")
    again = import_bill(provider="deepseek", lines=[line(day=days[2], cost="9"), line("n", days[3])], actor="test")
    assert (again.added, again.replaced) == (1, 1)
    assert BillLine.objects.count() == 7
    assert BillLine.objects.get(provider="deepseek", day=days[2]).cost == 9


def drifts(**asked):
    asked = {"first": DAY - timedelta(days=3), "last": DAY + timedelta(days=3), "zone": UTC_ZONE} | asked
    return list_drifts(providers=PROVIDERS, **asked)


def test_the_largest_drift_comes_first(write):
    write(NOON, upstream="first", input_tokens=5, output_tokens=5, cost_nanos=150_000_000)
    write(NOON, upstream="second", input_tokens=1, output_tokens=0, cost_nanos=10_000_000)
    write(NOON, upstream="third", input_tokens=3, output_tokens=0, cost_nanos=500_000_000)
    import_bill(provider="deepseek", lines=[line(), line("n")], actor="test")
    import_bill(provider="moonshot", lines=[line(tokens=2)], actor="test")
    first, second = drifts()
    assert (first.provider, first.nanos, first.bill_tokens, first.our_tokens) == ("moonshot", -360_000_000, 2, 3)
    assert (second.provider, second.nanos, second.bill_tokens, second.our_tokens) == ("deepseek", 120_000_000, 20, 11)
    assert round(second.percent) == 75
    assert [drift.provider for drift in drifts(provider="deepseek")] == ["deepseek"]


def test_days_begin_where_the_provider_counts_them(write):
    write(NOON.replace(hour=15), upstream="first", cost_nanos=1)
    write(NOON.replace(hour=16), upstream="first", cost_nanos=20)
    lines = [line(day=DAY), line(day=DAY + timedelta(days=1))]
    import_bill(provider="deepseek", lines=lines, actor="test")
    assert {drift.day.day: drift.our_nanos for drift in drifts(zone=CHINA)} == {5: 1, 6: 20}
    assert {drift.day.day: drift.our_nanos for drift in drifts()} == {5: 21, 6: 0}


def test_a_bill_of_what_we_never_asked_for_is_all_drift(db):
    assert (drifts(), last_billed_day()) == ([], None)
    import_bill(provider="deepseek", lines=[line()], actor="test")
    [drift] = drifts()
    assert (drift.nanos, drift.percent, last_billed_day()) == (140_000_000, None, DAY)


# --- margins ---------------------------------------------------------------


@pytest.mark.parametrize("is_rolled_up", [True, False])
def test_margins_are_those_of_each_day_and_upstream(write, clock, is_rolled_up):
    fields = {"charge_nanos": 100, "uncollected_nanos": 3, "input_tokens": 6, "output_tokens": 4}
    write(NOON, upstream="first", cost_nanos=70, count_source="provider", **fields)
    write(NOON, upstream="first", cost_nanos=None, count_source="estimate", **fields)
    write(NOON, upstream="second", cost_nanos=150, count_source="provider", **fields)
    write(NOON + timedelta(days=1), upstream="first", cost_nanos=0, count_source="provider", **fields)
    if is_rolled_up:
        clock.now = NOON + timedelta(days=3)
        rollups.roll_up()
    later, first, second = margins = list_margins(first=DAY, last=DAY + timedelta(days=2))
    assert [(margin.day.day, margin.upstream) for margin in margins] == [(6, "first"), (5, "first"), (5, "second")]
    assert (first.nanos, first.percent, first.uncosted, first.sums.uncollected_nanos) == (130, 65.0, 1, 6)
    assert (first.counted_tokens, first.sums.estimated_tokens) == (10, 10)
    assert (second.nanos, second.percent, later.nanos) == (-50, -50.0, 100)
    assert (add_up(margins).nanos, add_up(margins).sums.requests) == (180, 4)


def test_at_most_31_days_of_margins_are_read(write):
    for days in (0, 30, 31):
        write(NOON - timedelta(days=days), upstream="first")
    assert len(list_margins(first=DAY - timedelta(days=90), last=DAY)) == 2
    assert list_margins(first=DAY, last=DAY, upstream="second") == []
    assert add_up([]) is None


def test_lines_imported_by_mistake_are_removed(db, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 2)
    days = [DAY + timedelta(days=number) for number in range(5)]
    for provider in ("deepseek", "moonshot"):
        import_bill(provider=provider, lines=[line(day=day) for day in days], actor="test")
    assert remove_lines(provider="deepseek", first=days[1], last=days[4], actor="root@example.com") == 4
    assert BillLine.objects.filter(provider="deepseek").get().day == days[0]
    assert BillLine.objects.filter(provider="moonshot").count() == 5
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.action, entry.target) == ("root@example.com", "bill.remove", "bill of deepseek")
    assert entry.before == {"lines": f"4 lines of {days[1]} to {days[4]}"}
