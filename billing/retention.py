"""What is forgotten with time: usage, refusals, ended holds, silent processes, models' hours. Never the ledger.

Rows go in small transactions with pauses between them, so that no request waits long.
Records go only when they are in the roll-ups, which stay.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Model, QuerySet

from billing import idempotency, rows
from billing.books.chunks import write_in_chunks
from billing.models import Alert, Heartbeat, Hold, Mark, ModelSum, RefusalCount, RefusedRequest, UsageRecord
from billing.sums import EPOCH, ROLLED_UP, floor_hour

USAGE_KEPT_SINCE = "usage_kept_since"
"""Name of the mark from which on every charge has its usage record; behind it records may be gone."""

REFUSALS_KEPT = timedelta(days=90)
ALERTS_KEPT = timedelta(days=90)
"""From when they were lifted; open ones are kept."""
HOLDS_KEPT = timedelta(days=7)
HEARTBEATS_KEPT = timedelta(days=1)
HOURS_KEPT = timedelta(days=30)
"""Pages show a day of hours. A charge is corrected within days, and its hour then summed anew: it must be there."""
FOUND = 1000
"""How many rows are looked up at once, to be deleted in chunks."""


def forget_old() -> dict[str, int]:
    """Delete what is older than it is kept; return what → rows. Running twice at once does no harm."""
    now = rows.read_clock()
    return {
        # Before the records: an ended hold must have its record.
        "ended holds": delete(Hold.objects.filter(ended_at__lt=now - HOLDS_KEPT).order_by("ended_at")),
        "usage records": _forget_usage(now),
        "answers": idempotency.forget_answers(),
        "refusal counts": delete(RefusalCount.objects.filter(minute__lt=now - REFUSALS_KEPT).order_by("pk")),
        "refused requests": delete(RefusedRequest.objects.filter(refused_at__lt=now - REFUSALS_KEPT).order_by("pk")),
        "alerts": delete(Alert.objects.filter(lifted_at__lt=now - ALERTS_KEPT).order_by("pk")),
        "models' hours": delete_hours(ModelSum, now),
        "heartbeats": delete(Heartbeat.objects.filter(beat_at__lt=now - HEARTBEATS_KEPT).order_by("pk")),
    }


def read_kept_since() -> datetime:
    """Return the instant from which on every charge has its usage record."""
    return Mark.objects.filter(name=USAGE_KEPT_SINCE).values_list("at", flat=True).first() or EPOCH


def _forget_usage(now: datetime) -> int:
    rolled_up = Mark.objects.filter(name=ROLLED_UP).values_list("at", flat=True).first()
    if rolled_up is None:
        return 0
    until = min(now - timedelta(days=settings.USAGE_DAYS), floor_hour(rolled_up))
    # The mark first, so that no check finds a record gone from behind it. A charge can be
    # corrected as long as its hold is kept: the correction's record may go with the charge's.
    _move_mark(until + HOLDS_KEPT)
    return delete(UsageRecord.objects.filter(created_at__lt=until).order_by("created_at"))


def _move_mark(at: datetime) -> None:
    Mark.objects.get_or_create(name=USAGE_KEPT_SINCE, defaults={"at": at})
    Mark.objects.filter(name=USAGE_KEPT_SINCE, at__lt=at).update(at=at)


def delete_hours(sums: type[Model], now: datetime) -> int:
    """Delete the old hours of a table of hours and days, whose days say the same for longer."""
    old = sums._base_manager.filter(span="hour", starts_at__lt=now - HOURS_KEPT)
    return delete(old.order_by("starts_at"))


def delete(old: QuerySet) -> int:
    """Delete these rows piece by piece; return how many."""
    deleted = 0
    while ids := list(old.values_list("pk", flat=True)[:FOUND]):
        deleted += write_in_chunks(ids, lambda chunk: old.model._base_manager.filter(pk__in=chunk).delete())
    return deleted
