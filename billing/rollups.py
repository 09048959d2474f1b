"""Usage records summed by the hour: exact, little by little, by however many workers at once.

1. A chunk of records behind the mark, all of one hour, is read and summed outside of any
   transaction. On PostgreSQL it ends before the oldest transaction that may still add one.
2. One short transaction moves the mark from where it was found, or gives up: somebody else
   did it. Then it counts the chunk again: a record that came late is not passed over.
3. Who corrects a record leaves a note; the hour it names is summed anew.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import batched
from time import monotonic, sleep
from typing import Any

from django.db import transaction
from django.db.models import Max

from billing import modelsums, rows
from billing.models import Mark, Rollup, UsageRecord
from billing.retention import read_kept_since
from billing.sums import EPOCH, FIGURES, HOUR, ROLLED_UP, floor_hour, sum_records

REBUILT = "usage_rebuilt"
"""Name of the mark that every rebuilding moves by a microsecond: of two at once, one gives up."""
NOTE = "usage of "
NOTE_FORMAT = f"{NOTE}%Y-%m-%dT%H"

CHUNK = 5000
MOST_GROUPS = 400
"""With more groups a chunk is halved: on SQLite everybody waits for who writes."""
PAUSES = 2
"""So many times as long as it wrote a chunk, it lets others write: the first run has many chunks."""
LAG = timedelta(seconds=10)
logger = logging.getLogger(__name__)

INSTANT = timedelta(microseconds=1)

PLACE = ("organization_id", "key_id", "user_id", "model", "upstream")
RECORD_PLACE = ("organization_id", "key_id", "record_user", "model", "upstream")
Groups = dict[tuple[Any, ...], tuple[int, ...]]
"""The values of PLACE → the figures, in the order of COLUMNS."""
COLUMNS = (*FIGURES, "dearest_nanos")

ADDED = {
    **{name: f"{name} = billing_rollup.{name} + excluded.{name}" for name in FIGURES},
    "dearest_nanos": "dearest_nanos = CASE WHEN excluded.dearest_nanos > billing_rollup.dearest_nanos "
    "THEN excluded.dearest_nanos ELSE billing_rollup.dearest_nanos END",
}
REPLACED = {name: f"{name} = excluded.{name}" for name in COLUMNS}
"""What becomes of each column that is there already."""


class ElsewhereError(Exception):
    """Somebody else changes the roll-ups at this moment, or a record came late: to be tried again."""


def roll_up() -> int:
    """Add the records that came since the last time, correct the hours that are noted; return how many were added."""
    horizon, added = read_horizon(), 0
    try:
        while chunk := _add_chunk(horizon):
            added += chunk
        for note in Mark.objects.filter(name__startswith=NOTE):
            _rebuild_hour(datetime.strptime(note.name, NOTE_FORMAT).replace(tzinfo=UTC), note)
    except ElsewhereError:
        logger.info("the roll-ups are being changed elsewhere; the rest waits for the next time")
    return added


def rebuild(day: date) -> None:
    """Sum the records of a day (UTC) anew, as far as they are kept. Raises ElsewhereError."""
    midnight = datetime.combine(day, time(), UTC)
    for hour in range(24):
        _rebuild_hour(midnight + hour * HOUR)


def note_correction(created_at: datetime) -> None:
    """Say, in the transaction that corrects a record of this time, that its hour must be summed anew."""
    rows.execute(
        "INSERT INTO billing_mark (name, at) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        [floor_hour(created_at).strftime(NOTE_FORMAT), rows.adapt(rows.read_clock())],
    )


def read_horizon() -> datetime:
    """Return the instant before which no record can appear any more.

    A record's time is read behind its transaction's first lock, so that whoever may still
    add one of the past has a transaction id now, and began before that time.
    """
    horizon = rows.read_clock() - LAG
    if rows.is_postgresql():
        [[oldest]] = rows.execute(
            "SELECT MIN(xact_start) FROM pg_stat_activity WHERE backend_xid IS NOT NULL "
            "AND datname = current_database() AND pid <> pg_backend_pid() "
            # It adds none, but has an id for as long as it waits to cut off a table's empty end.
            "AND backend_type <> 'autovacuum worker'"
        )
        horizon = min(horizon, oldest or horizon)
    return horizon


# --- adding ------------------------------------------------------------------


def _add_chunk(horizon: datetime) -> int:
    mark = _read_mark(ROLLED_UP)
    waiting = UsageRecord.objects.filter(created_at__gte=mark, created_at__lt=horizon).order_by("created_at")
    begins_at = waiting.values_list("created_at", flat=True).first()
    if begins_at is None:
        return 0
    until, groups = _read_chunk(begins_at, min(horizon, floor_hour(begins_at) + HOUR), CHUNK)
    number, began_at = _count(groups), monotonic()
    with transaction.atomic():
        _move_mark(ROLLED_UP, mark, until)
        if UsageRecord.objects.filter(created_at__gte=mark, created_at__lt=until).count() != number:
            raise ElsewhereError
        _write(floor_hour(begins_at), groups, ADDED)
        modelsums.add(floor_hour(begins_at), groups)
    sleep(PAUSES * (monotonic() - began_at))
    return number


def _read_chunk(begins_at: datetime, end: datetime, size: int) -> tuple[datetime, Groups]:
    """Return the sums of about ``size`` records, and the instant up to which they go."""
    within = UsageRecord.objects.filter(created_at__gte=begins_at, created_at__lt=end).order_by("created_at")
    following = within.values_list("created_at", flat=True)[size : size + 1].first()
    until = max(following, begins_at + INSTANT) if following else end
    groups = _read_groups(begins_at, until)
    if len(groups) > MOST_GROUPS and until > begins_at + INSTANT:
        return _read_chunk(begins_at, until, _count(groups) // 2)
    return until, groups


def _count(groups: Groups) -> int:
    return sum(figures[0] for figures in groups.values())


def _read_groups(since: datetime, until: datetime) -> Groups:
    records = UsageRecord.objects.filter(created_at__gte=since, created_at__lt=until)
    size = len(RECORD_PLACE)
    sums = sum_records(records, *RECORD_PLACE).annotate(dearest=Max("charge_nanos"))
    return {tuple(row[:size]): tuple(map(int, row[size:])) for row in sums}


# --- summing anew ------------------------------------------------------------


def _rebuild_hour(hour: datetime, note: Mark | None = None) -> None:
    mark, version = _read_mark(ROLLED_UP), _read_mark(REBUILT)
    until = min(hour + HOUR, mark)
    wanted = _read_groups(hour, until) if hour < until else {}
    rollups = Rollup.objects.filter(hour=hour)
    stored: Groups = {tuple(row[: len(PLACE)]): row[len(PLACE) :] for row in rollups.values_list(*PLACE, *COLUMNS)}
    with transaction.atomic():
        _move_mark(ROLLED_UP, mark, mark)
        _move_mark(REBUILT, version, version + INSTANT)
        if hour >= read_kept_since():
            for place in stored.keys() - wanted.keys():
                rollups.filter(**dict(zip(PLACE, place, strict=True))).delete()
            changed = {place: figures for place, figures in wanted.items() if stored.get(place) != figures}
            _write(hour, changed, REPLACED)
            modelsums.add(hour, wanted, instead_of=stored)
        # Until the hour is over, a chunk of it may be under way that was read before the correction.
        if note and mark >= hour + HOUR and not Mark.objects.filter(pk=note.pk, at=note.at).delete()[0]:
            raise ElsewhereError


def _read_mark(name: str) -> datetime:
    return Mark.objects.filter(name=name).values_list("at", flat=True).first() or EPOCH


def _move_mark(name: str, found: datetime, to: datetime) -> None:
    """Move the mark, and let others wait for it until this transaction ends. Raises ElsewhereError."""
    if found == EPOCH:
        Mark.objects.bulk_create([Mark(name=name, at=EPOCH)], ignore_conflicts=True)
    if not Mark.objects.filter(name=name, at=found).update(at=to):
        raise ElsewhereError


def _write(hour: datetime, groups: Groups, changes: Mapping[str, str]) -> None:
    """Insert the groups; ``changes`` is ADDED or REPLACED."""
    for places in batched(sorted(groups), MOST_GROUPS):
        values, parameters = rows.values_list([(hour, *place, *groups[place]) for place in places])
        rows.execute(
            f"INSERT INTO billing_rollup (hour, {', '.join(PLACE + COLUMNS)}) VALUES {values} "
            f"ON CONFLICT (hour, key_id, user_id, model, upstream) DO UPDATE SET {', '.join(changes.values())}",
            parameters,
        )
