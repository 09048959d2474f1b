"""Alarms: what the operator must look at. A log line at once, a mail and a webhook once an hour.

1. ``alarm`` logs, and queues both unless this process has queued the same within the hour.
2. The worker claims the hour by the alarm's row in ``Mark``: of all processes, one mail goes out.
"""

import logging
import time
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings
from django.core.mail import send_mail
from kombu.exceptions import OperationalError

from billing import rows
from billing.models import Mark

PAUSE = timedelta(hours=1)
MAX_NAMES = 1000

logger = logging.getLogger(__name__)
_queued: dict[str, float] = {}


def alarm(name: str, text: str) -> None:
    """Tell the operator. ``name``, at most 33 characters, says which alarm it is; ``text`` holds no secret.

    It touches no database, so it may be called within a transaction; on an event loop only by a thread.
    """
    logger.error("%s: %s", name, text)
    now = time.monotonic()
    tasks = [task for task, is_wanted in _ways() if is_wanted]
    if not tasks or now < _queued.get(name, 0.0):
        return
    if len(_queued) >= MAX_NAMES:
        _queued.clear()
    _queued[name] = now + PAUSE.total_seconds()
    try:
        for task in tasks:
            current_app.send_task(task, [name, text], retry=False)
    except (OperationalError, OSError) as error:
        logger.error("an alarm could not be queued: %s", type(error).__name__)
        del _queued[name]


def _ways() -> list[tuple[str, bool]]:
    """Return the tasks that carry alarms, each with whether the operator has set it up."""
    return [
        ("billing.tasks.mail_alarm", bool(settings.ALARM_EMAILS)),
        ("routing.tasks.post_alarm", bool(settings.ALARM_WEBHOOK_URL)),
    ]


def mail_alarm(*, name: str, text: str) -> bool:
    """Send the alarm to ALARM_EMAILS unless it went out within the hour; tell whether it was sent.

    Raises OSError where the mail server can't be reached; the hour is then free again.
    """
    mark, now = f"alarm {name}"[:40], rows.read_clock()
    if not settings.ALARM_EMAILS or not claim(mark, now):
        return False
    body = f"{text}\n\n{settings.SMARTOKEN_URL}/admin/\nSeen at {now:%Y-%m-%d %H:%M:%S} UTC.\n"
    try:
        send_mail(f"SmarToken alarm: {name}", body, None, settings.ALARM_EMAILS)
    except OSError:
        free(mark, now)
        raise
    return True


def claim(mark: str, now: datetime) -> bool:
    """Take the hour of an alarm, by the name of its row; tell whether it was free."""
    _, is_new = Mark.objects.get_or_create(name=mark, defaults={"at": now})
    return is_new or Mark.objects.filter(pk=mark, at__lte=now - PAUSE).update(at=now) == 1


def free(mark: str, now: datetime) -> None:
    """Give back an hour that was claimed at this time, but not used."""
    Mark.objects.filter(pk=mark).update(at=now - PAUSE)
