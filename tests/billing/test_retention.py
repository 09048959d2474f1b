"""Old rows are forgotten, the ledger never, and the books stay right without them."""

import uuid
from datetime import timedelta

import pytest

from billing import alerts, proof, retention, rollups, rows, sweep
from billing.models import Heartbeat, Hold, LedgerEntry, Mark, ModelSum, RefusalCount, RefusedRequest, UsageRecord
from billing.money import NANOS
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle
from tests.billing.test_alerts import spend


@pytest.fixture
def key(make_key, admissions, ask):
    """A key with one charged request and one that is still running, of today."""
    key = make_key()
    first, _ = admissions.admit_batch([ask(key), ask(key)])
    settle_batch([settle(first, Tokens(input=100, output=10))])
    return key


def forget_old() -> dict[str, int]:
    """Forget what is old; records go only when they are in the roll-ups."""
    rollups.roll_up()
    return retention.forget_old()


def test_young_rows_stay(key, clock) -> None:
    clock.forward(days=6)
    assert set(forget_old().values()) == {0}
    assert (UsageRecord.objects.count(), Hold.objects.count()) == (1, 2)


def test_usage_is_kept_as_long_as_the_setting_says(key, clock, settings) -> None:
    settings.USAGE_DAYS = 40
    clock.forward(days=39)
    assert forget_old()["usage records"] == 0
    clock.forward(days=2)
    assert forget_old()["usage records"] == 1


def test_without_its_old_records_the_books_are_right(key, clock) -> None:
    clock.forward(days=500)
    forget_old()
    assert not UsageRecord.objects.exists()
    assert LedgerEntry.objects.filter(kind="charge").exists()
    assert proof.check_books_inside().differences == {}


def test_a_young_charge_still_needs_its_record(key, clock) -> None:
    clock.forward(days=300)
    forget_old()
    UsageRecord.objects.all().delete()
    assert "charge without its record" in proof.check_books_inside().differences


def test_a_late_correction_of_a_forgotten_record_is_no_difference(make_key, admissions, ask, clock) -> None:
    [admission] = admissions.admit_batch([ask(make_key())])
    clock.forward(minutes=2)
    sweep.sweep()
    clock.forward(days=6)
    settle_batch([settle(admission, Tokens(input=100, output=10))])
    clock.forward(days=395)
    assert forget_old()["usage records"] == 1
    assert proof.check_books_inside().differences == {}


def test_the_mark_never_goes_back(key, clock, settings) -> None:
    clock.forward(days=500)
    forget_old()
    mark = Mark.objects.get(name=retention.USAGE_KEPT_SINCE).at
    settings.USAGE_DAYS = 1000
    forget_old()
    assert Mark.objects.get(name=retention.USAGE_KEPT_SINCE).at == mark


def test_holds_go_a_week_after_their_end_open_ones_never(key, clock) -> None:
    clock.forward(days=8)
    assert forget_old()["ended holds"] == 1
    assert Hold.objects.get().state == "open"


def test_refusals_are_kept_for_ninety_days(key, clock) -> None:
    for age in (89, 91):
        minute = rows.read_clock() - timedelta(days=age)
        RefusalCount.objects.create(
            organization_id=key.organization_id, key_id=key.id, minute=minute, code="x", requests=1
        )
    assert forget_old()["refusal counts"] == 1


def test_refused_requests_are_kept_for_ninety_days(key, clock) -> None:
    for age in (89, 91):
        at = rows.read_clock() - timedelta(days=age)
        RefusedRequest.objects.create(organization_id=key.organization_id, key_id=key.id, refused_at=at, code="x")
    assert forget_old()["refused requests"] == 1


def test_alerts_go_ninety_days_after_they_were_lifted(make_key, clock) -> None:
    spend(make_key(credit=10, daily_budget_nanos=NANOS), NANOS)
    alerts.raise_alerts()
    clock.forward(days=100)
    assert forget_old()["alerts"] == 0
    alerts.lift_alerts()
    clock.forward(days=91)
    assert forget_old()["alerts"] == 1


def test_the_hours_of_models_go_after_a_month_their_days_stay(key, clock) -> None:
    clock.forward(days=29)
    forget_old()
    assert set(ModelSum.objects.values_list("span", flat=True)) == {"hour", "day"}
    clock.forward(days=2)
    assert forget_old()["models' hours"] == 1
    assert set(ModelSum.objects.values_list("span", flat=True)) == {"day"}


def test_a_process_silent_for_a_day_is_forgotten(clock) -> None:
    sweep.beat(uuid.uuid4())
    clock.forward(hours=23)
    assert forget_old()["heartbeats"] == 0
    clock.forward(hours=2)
    assert forget_old()["heartbeats"] == 1
    assert not Heartbeat.objects.exists()


def test_many_rows_go_piece_by_piece(key, clock, monkeypatch) -> None:
    monkeypatch.setattr(retention, "FOUND", 2)
    record = UsageRecord.objects.get()
    for _ in range(4):
        record.pk = uuid.uuid4()
        record.save(force_insert=True)
    clock.forward(days=500)
    assert forget_old()["usage records"] == 5
