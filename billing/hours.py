"""The hours that roll-ups name, and the records that come first in them, by an index of hours."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Field, OuterRef, QuerySet, Subquery

from accounts.models import Membership
from billing import rows
from billing.models import Hour, Rollup, UsageRecord
from billing.sums import NEVER, floor_hour

Place = tuple[int, datetime, UUID]
"""Charge, time and id of a record: where it stands in a list."""


def list_first(
    *, rollups: Sequence[int], records: "QuerySet[UsageRecord]", order: Sequence[str], size: int
) -> set[UUID]:
    """Return the ids of so many of these records in the hour of each of the roll-ups."""
    of_rollup = records.alias(hour=Hour("created_at")).filter(
        key=OuterRef("key"), model=OuterRef("model"), hour=Hour(OuterRef("hour"))
    )
    ids = _Ids(of_rollup.order_by(*order).values("id")[:size])
    return set(chain.from_iterable(Rollup.objects.filter(pk__in=rollups).values_list(ids, flat=True)))


def read_oldest(membership: Membership) -> datetime:
    """Return the hour of the organization's oldest record; roll-ups are kept for longer."""
    kept = UsageRecord.objects.filter(organization=membership.organization_id).order_by("created_at")
    return floor_hour(kept.values_list("created_at", flat=True).first() or NEVER)


class _Ids(Subquery):
    """The ids that a subquery gives, as one value."""

    template = "ARRAY(%(subquery)s)"
    output_field: Any = Field()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(SELECT json_group_array(id) FROM (%(subquery)s))"
        return self.as_sql(compiler, connection, template=template, **context)

    def get_db_converters(self, connection: Any) -> list[Any]:
        return [lambda value, *_: [rows.read_uuid(id_) for id_ in _unpack(value)]]


def _unpack(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
