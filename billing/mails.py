"""Mails about alerts: each once, to the owners of the organization; those of budgets to its admins too.

1. An alert is claimed by a guarded update that counts the try: of all workers one moves it, and sends.
2. Nobody else tries before the claim ends, which is longer than sending can take. So a mail whose
   worker died on the way is sent by another, and one that was sent never twice.
3. What could not be sent is tried again after one minute, two, four and so on, a few times.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership
from billing import rows
from billing.models import Alert

PATIENCE = timedelta(days=1)
"""An alert that could not be mailed for so long is no news any more."""
MOST_TRIES = 10
CLAIM = timedelta(minutes=10)
"""How long sending one mail takes at the most: the mail server has ten seconds for each answer."""
FIRST_PAUSE = timedelta(minutes=1)

TEMPLATES = {
    Alert.Kind.BUDGET_80: "billing/mails/budget_80.txt",
    Alert.Kind.BUDGET_100: "billing/mails/budget_100.txt",
    Alert.Kind.LOW_BALANCE: "billing/mails/low_balance.txt",
}

logger = logging.getLogger(__name__)


def send_mails() -> int:
    """Mail the open alerts that were not yet; return how many. Raises OSError where there is no mail server."""
    now = rows.read_clock()
    open_alerts = _list_due(now).filter(raised_at__gt=now - PATIENCE, mail_tries__lt=MOST_TRIES)
    waiting = list(open_alerts.select_related("organization", "limit__key").order_by("pk"))
    if not waiting:
        return 0
    with mail.mailers.default as connection:
        return sum(_send_once(alert, connection) for alert in waiting)


def _list_due(now: datetime) -> "QuerySet[Alert]":
    """Return the open alerts that are to be mailed and that nobody is mailing."""
    is_due = Q(next_mail_at=None) | Q(next_mail_at__lte=now)
    return Alert.objects.filter(is_due, mailed_at=None, lifted_at=None)


def _send_once(alert: Alert, connection: BaseEmailBackend) -> bool:
    message, now, tries = _write(alert), rows.read_clock(), alert.mail_tries + 1
    free = _list_due(now).filter(pk=alert.pk, mail_tries=alert.mail_tries)
    if not free.update(mail_tries=tries, next_mail_at=now + CLAIM):
        return False
    own = Alert.objects.filter(pk=alert.pk, mail_tries=tries)
    try:
        connection.send_messages([message])
    except Exception as error:
        logger.warning("try %d to mail alert %d failed: %s", tries, alert.pk, type(error).__name__)
        own.update(next_mail_at=now + FIRST_PAUSE * 2 ** (tries - 1))
        with suppress(OSError):
            connection.close()  # the next one goes out on a connection of its own
        return False
    own.update(mailed_at=now)
    return True


def _write(alert: Alert) -> mail.EmailMessage:
    """Return the mail: the first line of its template is the subject. Times are the organization's."""
    key = alert.limit.key
    context = {
        "alert": alert,
        "limit": alert.limit,
        "organization": _one_line(alert.organization.name),
        "key": _one_line(key.name) if key else "",
        "zone": alert.organization.time_zone,
        "key_url": _public(reverse("key", args=[key.pk])) if key else "",
        "wallet_url": _public(reverse("wallet")),
        "usage_url": _public(reverse("usage")) + (f"?key={key.pk}" if key else ""),
        "settings_url": _public(reverse("settings")),
    }
    with timezone.override(ZoneInfo(alert.organization.time_zone)):
        text = render_to_string(TEMPLATES[Alert.Kind(alert.kind)], context)
    subject, _, body = text.partition("\n")
    return mail.EmailMessage(f"SmarToken: {_one_line(subject)}", body.lstrip(), None, _recipients(alert))


def _recipients(alert: Alert) -> list[str]:
    roles = [Membership.Role.OWNER]
    if alert.kind != Alert.Kind.LOW_BALANCE:  # the wallet is the owners'
        roles.append(Membership.Role.ADMIN)
    people = Membership.objects.filter(organization=alert.organization_id, role__in=roles, user__is_active=True)
    return list(people.order_by("pk").values_list("user__email", flat=True))


def _public(path: str) -> str:
    return f"{settings.SMARTOKEN_URL}{path}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
