"""Charges are reckoned anew at night, and what is not right is named."""

from datetime import timedelta

import pytest

from billing import alarms, ledger, rows, tasks
from billing.books import reconcile as module
from billing.books.reconcile import reconcile
from billing.holds import Admissions
from billing.models import LedgerEntry, Limit, ReconcileRun, UsageRecord
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle


@pytest.fixture
def spend(make_key, admissions: Admissions, ask):
    """Run requests of a key with little money from hold to end; return their records' ids."""
    key = make_key(credit=0.01)

    def run(*ends: Tokens, **fields):
        admitted = admissions.admit_batch([ask(key, input_bound=100, output_limit=100) for _ in ends])
        settle_batch([settle(admission, tokens, **fields) for admission, tokens in zip(admitted, ends, strict=True)])
        return [admission.request.id for admission in admitted]

    return run


@pytest.fixture
def queue(monkeypatch, settings):
    settings.ALARM_EMAILS = ["root@example.com"]
    sent = []
    monkeypatch.setattr(alarms, "_queued", {})
    monkeypatch.setattr(alarms.current_app, "send_task", lambda task, arguments, **_: sent.append(arguments[0]))
    return sent


def just_now():
    """The last two days, what ended in this very moment too."""
    return {"until": rows.read_clock() + timedelta(seconds=1)}


def test_good_charges_add_up(spend):
    spend(Tokens(input=100, cached=40, output=10), Tokens(input=1, output=1), cost_nanos=50)
    spend(Tokens(), count_source="estimate")
    run = reconcile(**just_now())
    assert (run.records, run.estimated, run.difference_count, run.differences) == (3, 1, 0, [])
    assert run.charge_nanos == 60 * 1000 + 40 * 500 + 10 * 2000 + 3000
    assert run.cost_nanos == 100


def test_what_was_not_collected_is_right_all_the_same(spend):
    spend(Tokens(input=20_000))
    run = reconcile(**just_now())
    assert (run.charge_nanos, run.uncollected_nanos, run.difference_count) == (10_000_000, 10_000_000, 0)


def test_a_late_count_is_right_all_the_same(make_key, admissions, ask):
    [admission] = admissions.admit_batch([ask(make_key())])
    settle_batch([settle(admission, Tokens(input=100), is_sweep=True)])
    settle_batch([settle(admission, Tokens(input=70))])
    assert LedgerEntry.objects.filter(request=admission.request.id).count() == 2
    assert reconcile(**just_now()).difference_count == 0


def test_a_refund_is_no_difference(spend):
    [id_] = spend(Tokens(input=100))
    record = UsageRecord.objects.get(pk=id_)
    ledger.refund(record=record, nanos=100, actor="test", reason="sorry", reference="a")
    assert reconcile(**just_now()).difference_count == 0


@pytest.mark.parametrize("field", ["input_tokens", "output_tokens", "uncollected_nanos"])
def test_a_record_that_its_price_does_not_make_is_named(spend, field):
    _, second = spend(Tokens(input=100), Tokens(input=100))
    UsageRecord.objects.filter(pk=second).update(**{field: 7})
    [row] = reconcile(**just_now()).differences
    assert (row["rule"], row["id"]) == ("charge and uncollected are not tokens × price", str(second))


def test_a_charge_that_is_not_in_the_ledger_is_named(spend):
    [id_] = spend(Tokens())
    UsageRecord.objects.filter(pk=id_).update(charge_nanos=5000, input_tokens=5)
    assert reconcile(**just_now()).differences == [
        {"rule": "entries are not the charge", "id": str(id_), "found": 0, "expected": 5000}
    ]


def test_records_of_the_same_instant_are_all_read_across_chunks(spend, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    spend(*[Tokens(input=1)] * 7)
    assert UsageRecord.objects.values("created_at").distinct().count() == 1
    assert reconcile(**just_now()).records == 7


def test_only_the_days_that_were_asked_for_are_read(spend):
    first, second = spend(Tokens(input=1), Tokens(input=1))
    now = rows.read_clock()
    UsageRecord.objects.filter(pk=first).update(created_at=now - timedelta(days=2, minutes=1))
    UsageRecord.objects.filter(pk=second).update(created_at=now - timedelta(days=1, hours=23))
    assert reconcile().records == 1
    assert reconcile(begins_at=now - timedelta(days=3), until=now - timedelta(days=2)).records == 1


def test_differences_are_all_counted_and_a_hundred_are_named(spend, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    spend(*[Tokens(input=1)] * 5)
    UsageRecord.objects.update(output_tokens=1)
    run = reconcile(**just_now())
    assert (run.difference_count, len(run.differences)) == (5, 3)


def test_the_nightly_run_is_stored_and_silent(spend, queue):
    spend(Tokens(input=1))
    UsageRecord.objects.update(created_at=rows.read_clock() - timedelta(hours=1))
    tasks.reconcile_charges()
    assert (ReconcileRun.objects.get().records, queue) == (1, [])


def test_a_difference_and_what_was_not_collected_are_alarms(spend, queue, caplog):
    spend(Tokens(input=20_000))
    UsageRecord.objects.update(created_at=rows.read_clock() - timedelta(hours=1), output_tokens=1)
    tasks.reconcile_charges()
    assert queue == ["reconciliation differs", "uncollected"]
    assert "$0.0100 of what requests cost" in caplog.text
    assert Limit.objects.get(kind="wallet").free_nanos == 0
