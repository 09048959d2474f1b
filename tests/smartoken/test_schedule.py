"""What beat and alarms send is what workers know."""

from importlib import import_module

import pytest
from django.conf import settings

from smartoken.celery import app

CARRIERS = {"billing.tasks.mail_alarm", "routing.tasks.post_alarm"}
SENT = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} | CARRIERS


@pytest.mark.parametrize("name", sorted(SENT))
def test_what_is_sent_is_a_task(name: str) -> None:
    import_module(name.rpartition(".")[0])
    assert name in app.tasks
