"""Books with many records, made by a few statements, for tests of how long a check takes and whom it stops."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from accounts.keys import KeyRecord
from billing import budgets, rows
from billing.books.rules import uuid_text
from billing.budgets import KeyLimits
from billing.models import Limit
from billing.requests import PriceRecord

TOKENS = {"input": 100, "output": 10}
CHARGE = 120_000
"""What these tokens cost at the price of tests/billing/conftest.py, in nano-dollars."""
WRITTEN = "id BETWEEN %s AND %s"


def fill(
    count: int,
    key: KeyRecord,
    price: PriceRecord,
    *,
    hours: float = 24,
    until: datetime | None = None,
    first: int = 1,
    models: Sequence[str] = ("deepseek",),
) -> None:
    """Write ``count`` requests of this key that ended within the hours before ``until``: hold, record, entry, limits.

    Their ids begin with ``first``; they take turns in asking the models.
    """
    limits = budgets.open_windows([key.id])[key.id]
    began = (until or timezone.now()) - timedelta(hours=hours)
    clock = [rows.adapt(began), hours * 3600 / count] * 3
    _fill_holds(count, first, key, limits, price, models, clock)
    _fill_what_came_of_them([rows.adapt(uuid.UUID(int=number)) for number in (first, first + count - 1)])
    Limit.objects.filter(pk__in=limits.ids).update(spent_nanos=F("spent_nanos") + count * CHARGE)


def _fill_holds(
    count: int,
    first: int,
    key: KeyRecord,
    limits: KeyLimits,
    price: PriceRecord,
    models: Sequence[str],
    clock: Sequence[object],
) -> None:
    rows.execute(
        f"WITH {_series()} INSERT INTO billing_hold (id, state, organization_id, key_id, wallet_id, day_id, month_id, "
        "amount_nanos, charged_nanos, uncollected_nanos, model, price_id, input_estimate, output_limit, stream, "
        "client_request_id, sdk_retry, process, started_at, deadline_at, ended_at) "
        f"SELECT {_id()}, 'settled', %s, %s, %s, %s, %s, {2 * CHARGE}, {CHARGE}, 0, {_turns(models)}, %s, 100, 100, "
        f"%s, '', 0, %s, {_time()}, {_time()}, {_time()} FROM series",
        [
            count,
            first - 1,
            key.organization_id,
            key.id,
            *limits.ids,
            *models,
            price.id,
            True,
            rows.adapt(uuid.uuid4()),
            *clock,
        ],
    )


def _fill_what_came_of_them(bounds: Sequence[object]) -> None:
    """Write the records and entries of the holds whose ids lie within the bounds."""
    rows.execute(
        "INSERT INTO billing_usagerecord (id, organization_id, key_id, model, provider, upstream, upstream_model, "
        "stream, demo, status, http_status, error_code, ended_by, finish_reason, count_source, input_tokens, "
        "cached_tokens, output_tokens, reasoning_tokens, input_estimate, output_limit, held_nanos, charge_nanos, "
        "uncollected_nanos, cost_currency, price_id, attempts, total_ms, client_request_id, provider_request_id, "
        "sdk_retry, started_at, created_at) "
        "SELECT id, organization_id, key_id, model, 'demo', 'demo', 'm', stream, %s, 'completed', 200, '', "
        f"'completed', 'stop', 'provider', {TOKENS['input']}, 0, {TOKENS['output']}, 0, 100, 100, amount_nanos, "
        f"charged_nanos, 0, '', price_id, '[]', 5, '', '', 0, started_at, ended_at FROM billing_hold WHERE {WRITTEN}",
        [False, *bounds],
    )
    rows.execute(
        "INSERT INTO billing_ledgerentry (organization_id, wallet_id, day_id, month_id, kind, amount_nanos, reference, "
        "request, actor, reason, created_at) SELECT organization_id, wallet_id, day_id, month_id, 'charge', "
        f"-charged_nanos, {uuid_text('id')}, id, 'gateway', '', ended_at FROM billing_hold WHERE {WRITTEN}",
        bounds,
    )


def empty() -> None:
    """Delete what hangs on limits before the flush does: without it, SQLite looks for it at each limit."""
    if rows.is_postgresql():
        return
    rows.execute("DROP TRIGGER IF EXISTS billing_ledgerentry_no_delete")
    for table in ("ledgerentry", "usagerecord", "hold", "proofsum"):
        rows.execute(f"DELETE FROM billing_{table}")


def _series() -> str:
    """n counts from 1; number is what the row's id is as an integer."""
    counted = "RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < %s)"
    return f"{counted}, series (n, number) AS (SELECT n, n + %s FROM counted)"


def _id() -> str:
    return "lpad(to_hex(number), 32, '0')::uuid" if rows.is_postgresql() else "printf('%%032x', number)"


def _turns(models: Sequence[str]) -> str:
    cases = " ".join(f"WHEN {place} THEN %s" for place in range(len(models)))
    return f"CASE n %% {len(models)} {cases} END"


def _time() -> str:
    if rows.is_postgresql():
        return "%s::timestamptz + n * %s * interval '1 second'"
    return "strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s, (n * %s) || ' seconds')"
