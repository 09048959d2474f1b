"""Each alert is mailed once, by whoever comes first, to the owners and admins."""

import itertools
import threading

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection

from accounts.models import APIKey, Membership, Organization, User
from billing import alerts, mails, tasks
from billing.models import Alert
from billing.money import NANOS
from tests.billing.test_alerts import spend


@pytest.fixture
def key(make_key):
    """A key whose daily budget is spent, in Berlin."""
    key = make_key(credit=10, zone="Europe/Berlin", daily_budget_nanos=NANOS)
    spend(key, NANOS)
    alerts.raise_alerts()
    return key


def test_owners_and_admins_get_it_members_and_the_inactive_do_not(key) -> None:
    for name, role, is_active in (("bo", "admin", True), ("cy", "member", True), ("di", "owner", False)):
        user = User.objects.create_user(f"{name}@example.com", is_active=is_active)
        Membership.objects.create(user=user, organization_id=key.organization_id, role=role)
    assert mails.send_mails() == 1
    assert mail.outbox[0].to == ["alice@example.com", "bo@example.com"]


def test_it_says_what_is_spent_until_when_and_where_to_change_it(key, clock, settings) -> None:
    settings.SMARTOKEN_URL = "https://gateway.example"
    mails.send_mails()
    [sent] = mail.outbox
    assert sent.subject == "SmarToken: “test” has spent its daily budget"
    assert "has spent $1.00 of its daily budget of $1.00" in sent.body
    ends_at = Alert.objects.get().limit.ends_at
    assert "00:00 (Europe/Berlin)" in sent.body and ends_at.hour in (22, 23)
    assert f"https://gateway.example/console/keys/{key.id}/" in sent.body
    assert "https://gateway.example/console/settings/" in sent.body


def test_a_budget_near_its_end_has_a_mail_of_its_own(make_key) -> None:
    spend(make_key(credit=10, monthly_budget_nanos=NANOS), 850_000_000)
    alerts.raise_alerts()
    mails.send_mails()
    assert mail.outbox[0].subject == "SmarToken: “test” has spent 80 % of its monthly budget"
    assert "begins anew on" in mail.outbox[0].body and "refused" not in mail.outbox[0].body


def test_a_low_balance_names_the_line_and_the_wallet(make_key) -> None:
    spend(make_key(credit=10), 10 * NANOS)
    alerts.raise_alerts()
    mails.send_mails()
    [sent] = mail.outbox
    assert sent.subject == "SmarToken: Acme has less than $1.00 left"
    assert "/console/wallet/" in sent.body


def test_names_can_not_break_out_of_the_subject(key) -> None:
    APIKey.objects.update(name="a\r\nBcc: mallory@example.com <b>")
    mails.send_mails()
    assert mail.outbox[0].subject == "SmarToken: “a Bcc: mallory@example.com <b>” has spent its daily budget"


def test_it_is_mailed_once(key) -> None:
    assert [mails.send_mails(), mails.send_mails()] == [1, 0]
    assert len(mail.outbox) == 1


def test_what_was_lifted_is_not_mailed_any_more(key) -> None:
    Organization.objects.update(budget_alerts=False)
    alerts.lift_alerts()
    assert mails.send_mails() == 0


def test_what_could_not_be_mailed_for_a_day_is_no_news(key, clock) -> None:
    clock.forward(hours=25)
    assert mails.send_mails() == 0


def test_a_mail_that_fails_is_tried_again_and_hurts_no_other(key, clock, make_key, monkeypatch) -> None:
    spend(make_key(credit=10), 10 * NANOS)
    alerts.raise_alerts()
    real = EmailBackend.send_messages

    def refuse(self, messages):
        if "daily" in messages[0].subject:
            raise OSError("mailbox full")
        return real(self, messages)

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", refuse)
        assert [mails.send_mails(), mails.send_mails()] == [1, 0]
    clock.forward(minutes=1)
    assert [mails.send_mails(), mails.send_mails()] == [1, 0]
    assert len(mail.outbox) == 2


def test_a_mail_that_always_fails_is_tried_less_and_less_and_then_given_up(key, clock, monkeypatch) -> None:
    tried_at = []

    def refuse(self, messages):
        tried_at.append(clock.now)
        raise OSError("mailbox unknown")

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    for _ in range(23 * 60):
        mails.send_mails()
        clock.forward(minutes=1)
    pauses = [(later - earlier).total_seconds() / 60 for earlier, later in itertools.pairwise(tried_at)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert Alert.objects.get().mailed_at is None


def test_what_a_worker_that_died_was_mailing_is_mailed_by_another(key, clock, monkeypatch) -> None:
    def die(self, messages):
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(EmailBackend, "send_messages", die)
        mails.send_mails()
    assert mails.send_mails() == 0
    clock.forward(minutes=10)
    assert [mails.send_mails(), mails.send_mails()] == [1, 0]


def test_without_a_mail_server_the_task_ends_quietly_and_nothing_is_claimed(key, monkeypatch, caplog) -> None:
    def refuse(self):
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailBackend, "open", refuse)
    tasks.send_mails()
    assert Alert.objects.get().mailed_at is None
    assert "no mail could be sent: ConnectionRefusedError" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_one_mail_and_no_mail_in_a_transaction(key, monkeypatch) -> None:
    real, were_atomic = EmailBackend.send_messages, []

    def send(self, messages):
        were_atomic.append(connection.in_atomic_block)
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send)

    def work() -> None:
        mails.send_mails()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert were_atomic == [False]
