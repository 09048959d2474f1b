"""What a crash leaves behind is settled from the checkpoint, once."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from billing import proof, sweep
from billing.models import Heartbeat, Hold, LedgerEntry, UsageRecord
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle, wallet_of


@pytest.fixture
def abandoned(make_key, admissions, ask):
    """A hold of a process that nobody has heard of for two minutes."""
    key = make_key()
    [admission] = admissions.admit_batch([ask(key, stream=True)])
    Hold.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    return key, admission


def checkpoint(admission, **counts: int) -> None:
    sweep.write_checkpoints([(admission.request.id, {"provider": "p", "upstream": "u", **counts})])


def test_it_charges_what_the_checkpoint_says(abandoned) -> None:
    key, admission = abandoned
    checkpoint(admission, input=100, output=10)
    assert sweep.sweep() == 1
    record = UsageRecord.objects.get()
    assert (record.charge_nanos, record.count_source, record.ended_by) == (120_000, "checkpoint", "gateway")
    assert (wallet_of(key).held_nanos, Hold.objects.get().state) == (0, "expired")
    assert proof.check_books_inside().differences == {}


def test_without_a_checkpoint_nothing_was_delivered_and_nothing_is_charged(abandoned) -> None:
    sweep.sweep()
    assert UsageRecord.objects.get().charge_nanos == 0
    assert not LedgerEntry.objects.filter(kind="charge").exists()


def test_a_second_sweep_finds_nothing(abandoned) -> None:
    assert sweep.sweep() == 1
    assert sweep.sweep() == 0


def test_holds_of_a_living_process_are_left_alone(abandoned) -> None:
    _, admission = abandoned
    sweep.beat(admission.process)
    assert sweep.sweep() == 0


def test_a_hold_past_its_deadline_ends_in_a_living_process_too(abandoned) -> None:
    _, admission = abandoned
    sweep.beat(admission.process)
    Hold.objects.update(deadline_at=timezone.now() - timedelta(seconds=1))
    assert sweep.sweep() == 1


def test_a_young_hold_is_given_time_for_its_first_heartbeat(make_key, admissions, ask) -> None:
    admissions.admit_batch([ask(make_key())])
    assert sweep.sweep() == 0


def test_the_real_counts_that_come_late_adjust_the_charge(abandoned) -> None:
    key, admission = abandoned
    checkpoint(admission, input=100, output=10)
    sweep.sweep()
    settle_batch([settle(admission, Tokens(input=100, output=50))])
    assert wallet_of(key).spent_nanos == 200_000
    record = UsageRecord.objects.get()
    assert (record.status, record.error_code, record.http_status) == ("completed", "", 200)
    assert proof.check_books_inside().differences == {}


def test_the_person_who_asked_stays_on_the_record(abandoned, alice) -> None:
    Hold.objects.update(user=alice)
    sweep.sweep()
    assert UsageRecord.objects.get().user == alice


def test_a_checkpoint_of_an_ended_hold_changes_nothing(abandoned) -> None:
    _, admission = abandoned
    settle_batch([settle(admission, Tokens())])
    checkpoint(admission, input=1, output=1)
    assert Hold.objects.get().checkpoint is None


def test_a_process_that_ends_in_good_order_is_forgotten(db) -> None:
    process = uuid.uuid4()
    sweep.beat(process)
    sweep.beat(process)
    assert Heartbeat.objects.count() == 1
    sweep.say_goodbye(process)
    assert not Heartbeat.objects.exists()


def test_a_site_that_was_off_for_a_month_is_swept(abandoned) -> None:
    Hold.objects.update(started_at=timezone.now() - timedelta(days=30))
    assert sweep.sweep() == 1
    assert UsageRecord.objects.get().total_ms == sweep.MAX_MS


def test_a_hold_that_can_not_be_read_hurts_no_other(abandoned, admissions, ask, caplog) -> None:
    key, admission = abandoned
    [other] = admissions.admit_batch([ask(key)])
    Hold.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    Hold.objects.filter(pk=admission.request.id).update(checkpoint={"input": 100, "cost": ["CNY"]})
    assert sweep.sweep() == 1
    assert dict(Hold.objects.values_list("pk", "state")) == {admission.request.id: "open", other.request.id: "expired"}
    assert f"The hold {admission.request.id}" in caplog.text
