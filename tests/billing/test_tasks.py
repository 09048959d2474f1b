"""What Celery runs on a schedule: every task exists, and can run twice or not at all."""

import pytest
from celery import current_app

from billing import budgets, tasks
from billing.models import Limit
from smartoken.celery import app


@pytest.mark.parametrize("name", sorted(app.conf.beat_schedule))
@pytest.mark.django_db(transaction=True)
def test_a_scheduled_task_runs_twice_on_an_empty_site(name: str) -> None:
    app.loader.import_default_modules()
    task = current_app.tasks[app.conf.beat_schedule[name]["task"]]
    task()
    task()


def test_used_keys_get_the_windows_of_today_others_when_they_are_used(make_key, clock) -> None:
    used, unused = make_key(), make_key()
    budgets.open_windows([used.id, unused.id])
    Limit.objects.filter(key=used.id).update(spent_nanos=1)
    clock.forward(days=40)
    tasks.reset_budgets()
    tasks.reset_budgets()
    assert Limit.objects.filter(key=used.id).count() == 4
    assert Limit.objects.filter(key=unused.id).count() == 2


def test_a_window_with_a_running_request_counts_as_used(make_key, clock) -> None:
    key = make_key()
    budgets.open_windows([key.id])
    Limit.objects.filter(key=key.id, kind="key_day").update(held_nanos=1)
    clock.forward(days=1)
    assert budgets.open_used_windows() == 1
