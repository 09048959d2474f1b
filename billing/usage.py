"""What was used: the figures of a dashboard, and pages of usage records and ledger entries.

Rows are always those a member may see. Pages follow the index: each names the last
row that was shown, so that page 1,000 costs what page 1 does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery, Sum
from django.utils import timezone

from accounts.models import APIKey, Membership
from accounts.pages import PAGE, Page, page_by_id
from billing import money
from billing.budgets import current_windows
from billing.dearest import read_dearest
from billing.filters import ALL, UsageFilter
from billing.hours import Place
from billing.models import LedgerEntry, Limit, RefusalCount, RefusedRequest, UsageRecord
from billing.newest import read_newest
from billing.refusals import LATEST_KEPT
from billing.sums import Sums, sum_usage

DAY = timedelta(hours=24)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRAFFIC = ("requests", "failed", "input_tokens", "output_tokens")


class Order(StrEnum):
    """Which records come first in a list."""

    NEWEST = ""
    DEAREST = "dearest"


def list_records(
    *,
    membership: Membership,
    filters: UsageFilter = ALL,
    after: str = "",
    size: int = PAGE,
    order: str = Order.NEWEST,
) -> Page:
    """Return a page of the usage records that match."""
    read = {Order.NEWEST: read_newest, Order.DEAREST: read_dearest}[Order(order)]
    rows = read(membership=membership, filters=filters, after=_read_mark(after), size=size + 1)
    return Page(rows[:size], _write_mark(rows[size - 1]) if len(rows) > size else "")


def _read_mark(mark: str) -> Place | None:
    """Return the place that a mark names; None for anything else."""
    try:
        charge, micros, id_ = mark.split(".")
        place = int(charge), EPOCH + timedelta(microseconds=int(micros)), UUID(id_)
    except (ValueError, OverflowError):
        return None
    return place if abs(place[0]) <= money.MAX_COST else None


def _write_mark(record: UsageRecord) -> str:
    """Return the mark of the page behind a record: ``<charge>.<microseconds>.<id>``."""
    micros = (record.created_at - EPOCH) // timedelta(microseconds=1)
    return f"{record.charge_nanos}.{micros}.{record.pk.hex}"


def list_entries(
    *, membership: Membership, after: str = "", size: int = PAGE, span: tuple[datetime, datetime] | None = None
) -> Page:
    """Return a page of the wallet's ledger entries; ``span`` is from when on and until when, exclusive."""
    entries = LedgerEntry.objects.filter(organization=membership.organization_id)
    if span:
        entries = entries.filter(created_at__gte=span[0], created_at__lt=span[1])
    return page_by_id(entries, after, size=size)


def count_refusals(*, membership: Membership, key: int | None = None) -> list[dict[str, Any]]:
    """Return code and number of the refused requests of the last 24 hours, most frequent first."""
    recent = RefusalCount.objects.visible_to(membership).filter(minute__gte=timezone.now() - DAY)
    if key is not None:
        recent = recent.filter(key=key)
    return list(recent.values("code").annotate(total=Sum("requests")).order_by("-total", "code"))


def list_refused(*, membership: Membership, key: int | None = None) -> list[RefusedRequest]:
    """Return the last hundred refused requests, of one key or of all that the member may see, newest first."""
    refused = RefusedRequest.objects.visible_to(membership).select_related("key")
    if key is not None:
        refused = refused.filter(key=key)
    return list(refused.order_by("-pk")[:LATEST_KEPT])


def find_refused(*, membership: Membership, request: UUID) -> RefusedRequest | None:
    """Return the refused request with this id, if the member may see it and it is still kept."""
    return RefusedRequest.objects.visible_to(membership).select_related("key").filter(request=request).first()


def count_traffic(*, membership: Membership) -> Sums:
    """Return how many requests, failures and tokens the last 24 hours had."""
    return sum_usage(membership=membership, since=timezone.now() - DAY, figures=TRAFFIC)[()]


def sum_spent(*, membership: Membership) -> dict[str, int]:
    """Return what the current windows of the keys have spent, in nano-dollars: ``today`` and ``month``.

    Every charge counts in a day and a month of its key, so no record has to be read.
    """
    now = timezone.now()
    windows = Limit.objects.filter(
        key__in=APIKey.objects.visible_to(membership), starts_at__lte=now, ends_at__gt=now
    ).exclude(kind=Limit.Kind.WALLET)
    spent = {row["kind"]: row["spent"] for row in windows.values("kind").annotate(spent=Sum("spent_nanos"))}
    return {"today": spent.get(Limit.Kind.KEY_DAY, 0), "month": spent.get(Limit.Kind.KEY_MONTH, 0)}


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget of a key in its current window, in nano-dollars; ``limit`` is None where there is none."""

    limit: int | None
    spent: int
    held: int
    ends_at: datetime

    @property
    def left(self) -> int | None:
        """What a new hold may take; 0 where the limit was lowered below what is spent."""
        return None if self.limit is None else max(0, self.limit - self.spent - self.held)


def read_budgets(*, keys: Sequence[APIKey]) -> dict[int, tuple[Budget, Budget]]:
    """Return key id → its budget of the day and of the month; a key that was not used has spent nothing."""
    return {
        key_id: (_budget(windows[Limit.Kind.KEY_DAY]), _budget(windows[Limit.Kind.KEY_MONTH]))
        for key_id, windows in current_windows(keys=keys).items()
    }


def _budget(window: Limit) -> Budget:
    assert window.ends_at
    return Budget(window.limit_nanos, window.spent_nanos, window.held_nanos, window.ends_at)


def last_used() -> Subquery:
    """Return the subquery that tells, for each key of a query, when its last request ended."""
    records = UsageRecord.objects.filter(key=OuterRef("pk")).order_by("-created_at", "-id")
    return Subquery(records.values("created_at")[:1])


def first_record(*, key: APIKey, since: datetime | None = None) -> UsageRecord | None:
    """Return the first request of a key that began since then."""
    records = UsageRecord.objects.filter(key=key, **({"started_at__gte": since} if since else {}))
    record: UsageRecord | None = records.order_by("created_at", "id").first()
    return record
