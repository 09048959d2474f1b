"""Alarms for the operator's own machinery: POSTed as JSON to ALARM_WEBHOOK_URL, once an hour each."""

import orjson
from django.conf import settings

from billing import rows
from billing.alarms import claim, free
from routing.outbound import OutboundError, fetch

SECONDS = 5.0


def post_alarm(*, name: str, text: str) -> bool:
    """Send the alarm unless it went out within the hour; tell whether it was sent.

    Raises OutboundError where it was not taken; the hour is then free again.
    """
    mark, now = f"hook {name}"[:40], rows.read_clock()
    if not settings.ALARM_WEBHOOK_URL or not claim(mark, now):
        return False
    body = {"alarm": name, "text": text, "site": settings.SMARTOKEN_URL, "at": now.isoformat()}
    headers = {"content-type": "application/json", "user-agent": "SmarToken/1"}
    try:
        answer = fetch("POST", settings.ALARM_WEBHOOK_URL, seconds=SECONDS, headers=headers, content=orjson.dumps(body))
        if not 200 <= answer.status < 300:
            raise OutboundError(f"it answered with status {answer.status}")
    except OutboundError:
        free(mark, now)
        raise
    return True
