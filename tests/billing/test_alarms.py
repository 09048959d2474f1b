"""Alarms: always in the log, by mail once an hour."""

from datetime import timedelta

import pytest
from django.core import mail

from billing import alarms, rows, tasks
from billing.books import proofs
from billing.models import Limit, Proof
from tests.billing.conftest import wallet_of


@pytest.fixture(autouse=True)
def recipients(settings, monkeypatch):
    settings.ALARM_EMAILS = ["root@example.com", "ops@example.com"]
    monkeypatch.setattr(alarms, "_queued", {})


@pytest.fixture
def queue(monkeypatch):
    """What would lie before the worker: the names of alarms."""
    sent = []
    monkeypatch.setattr(alarms.current_app, "send_task", lambda task, arguments, **_: sent.append(arguments[0]))
    return sent


def test_an_alarm_is_logged_and_queued_once_an_hour(queue, caplog, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(alarms.time, "monotonic", lambda: clock[0])
    for seconds in (0, 10, 3600):
        clock[0] += seconds
        alarms.alarm("disk", "The disk is full.")
    alarms.alarm("fire", "It burns.")
    assert queue == ["disk", "disk", "fire"]
    assert [record.message for record in caplog.records].count("disk: The disk is full.") == 3


def test_without_recipients_it_is_only_logged(queue, caplog, settings):
    settings.ALARM_EMAILS = []
    alarms.alarm("disk", "The disk is full.")
    assert (queue, len(caplog.records)) == ([], 1)


def test_a_broker_that_is_away_is_logged_and_asked_again(monkeypatch, caplog):
    def refuse(*args, **options):
        raise alarms.OperationalError

    monkeypatch.setattr(alarms.current_app, "send_task", refuse)
    for _ in range(2):
        alarms.alarm("disk", "The disk is full.")
    assert [record.message for record in caplog.records].count("an alarm could not be queued: OperationalError") == 2


def test_of_all_processes_one_mail_goes_out_in_an_hour(db, monkeypatch):
    now = rows.read_clock()
    for minutes in (0, 1, 59, 60, 61):
        at = now + timedelta(minutes=minutes)
        monkeypatch.setattr(rows, "read_clock", lambda at=at: at)
        tasks.mail_alarm("disk", "The disk is full.")
    tasks.mail_alarm("fire", "It burns.")
    assert [message.subject for message in mail.outbox] == [
        "SmarToken alarm: disk",
        "SmarToken alarm: disk",
        "SmarToken alarm: fire",
    ]
    assert mail.outbox[0].to == ["root@example.com", "ops@example.com"]
    assert "The disk is full." in mail.outbox[0].body


def test_a_mail_that_could_not_be_sent_frees_the_hour(db, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(alarms, "send_mail", lambda *args: (_ for _ in ()).throw(ConnectionRefusedError))
        with pytest.raises(ConnectionRefusedError):
            alarms.mail_alarm(name="disk", text="The disk is full.")
    assert alarms.mail_alarm(name="disk", text="The disk is full.")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("task", [tasks.prove_books, tasks.check_ledger])
def test_a_difference_found_at_night_is_an_alarm(transactional_db, make_key, queue, caplog, task):
    wallet = wallet_of(make_key())
    task()
    assert queue == []
    Limit.objects.filter(pk=wallet.pk).update(spent_nanos=5)
    task()
    assert queue == ["the books differ"]
    assert "1 rows of the books differ: wallet: spent is not the sum of its charges" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_hourly_check_goes_on_from_the_last_full_one(transactional_db, make_key):
    make_key()
    for _ in range(3):
        tasks.check_ledger()
    full, *later = Proof.objects.order_by("pk")
    assert (full.is_base, [proof.since for proof in later]) == (True, [full, full])
    assert proofs.find_base("latest") == full
