"""Mails about alerts: each once, to the owners of the organization; those of budgets to its admins too.

1. An alert is claimed by a guarded update of its ``mailed_at``: whoever moves it sends.
2. A mail that could not be sent gives its claim back, and is tried again the next time.
"""

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership
from billing import rows
from billing.models import Alert

PATIENCE = timedelta(days=1)
"""An alert that could not be mailed for so long is no news any more."""

TEMPLATES = {
    Alert.Kind.BUDGET_80: "billing/mails/budget_80.txt",
    Alert.Kind.BUDGET_100: "billing/mails/budget_100.txt",
    Alert.Kind.LOW_BALANCE: "billing/mails/low_balance.txt",
}

logger = logging.getLogger(__name__)


def send_mails() -> int:
    """Mail the open alerts that were not yet; return how many. Raises OSError where there is no mail server."""
    now = rows.read_clock()
    open_alerts = Alert.objects.filter(mailed_at=None, lifted_at=None, raised_at__gt=now - PATIENCE)
    waiting = list(open_alerts.select_related("organization", "limit__key").order_by("pk"))
    if not waiting:
        return 0
    with mail.mailers.default as connection:
        return sum(_send_once(alert, connection, now) for alert in waiting)


def _send_once(alert: Alert, connection: BaseEmailBackend, now: datetime) -> bool:
    message = _write(alert)
    if not Alert.objects.filter(pk=alert.pk, mailed_at=None, lifted_at=None).update(mailed_at=now):
        return False
    try:
        connection.send_messages([message])
    except Exception as error:
        logger.warning("the mail of alert %d failed: %s", alert.pk, type(error).__name__)
        Alert.objects.filter(pk=alert.pk, mailed_at=now).update(mailed_at=None)
        return False
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
