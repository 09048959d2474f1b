"""Sessions that are over: Django and allauth leave their rows, with the address and the browser of the person."""

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

DELETED_AT_ONCE = 200


def forget_expired() -> int:
    """Delete sessions whose time is over, and what is known of browsers that have none any more; return how many."""
    expired = _delete(Session.objects.filter(expire_date__lt=timezone.now()))
    return expired + _delete(UserSession.objects.filter(~Exists(Session.objects.filter(pk=OuterRef("session_key")))))


def _delete(rows: QuerySet) -> int:
    deleted = 0
    while ids := list(rows.values_list("pk", flat=True)[:DELETED_AT_ONCE]):
        deleted += rows.model._base_manager.filter(pk__in=ids).delete()[0]
    return deleted
