"""The rows that a settle inserts: a ledger entry where something is charged, and the usage record."""

from datetime import datetime

from billing.settlements import Outcome, Settlement

ENTRY_COLUMNS = [
    "organization_id",
    "wallet_id",
    "day_id",
    "month_id",
    "kind",
    "amount_nanos",
    "reference",
    "request",
    "actor",
    "reason",
    "created_at",
]


def entry_values(settlement: Settlement, kind: str, amount: int, now: datetime) -> tuple[object, ...]:
    key = settlement.admission.request.key
    return (
        key.organization_id,
        *settlement.admission.limits.ids,
        kind,
        amount,
        str(settlement.id),
        settlement.id,
        "gateway",
        "",
        now,
    )


RECORD_COLUMNS = [
    "id",
    "organization_id",
    "key_id",
    "user_id",
    "model",
    "provider",
    "upstream",
    "upstream_model",
    "stream",
    "demo",
    "status",
    "http_status",
    "error_code",
    "ended_by",
    "finish_reason",
    "count_source",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_estimate",
    "output_limit",
    "held_nanos",
    "charge_nanos",
    "uncollected_nanos",
    "cost_nanos",
    "cost",
    "cost_currency",
    "price_id",
    "attempts",
    "first_token_ms",
    "total_ms",
    "client_request_id",
    "provider_request_id",
    "sdk_retry",
    "tag",
    "started_at",
    "created_at",
]


def record_values(settlement: Settlement, outcome: Outcome, now: datetime) -> tuple[object, ...]:
    admission, counts = settlement.admission, settlement.tokens
    request, key = admission.request, admission.request.key
    return (
        request.id,
        key.organization_id,
        key.id,
        key.user_id,
        request.model,
        settlement.provider,
        settlement.upstream,
        settlement.upstream_model,
        request.stream,
        settlement.demo,
        settlement.status,
        settlement.http_status,
        settlement.error_code,
        settlement.ended_by,
        settlement.finish_reason,
        settlement.count_source,
        counts.input,
        counts.cached,
        counts.output,
        counts.reasoning,
        request.input_bound,
        admission.output_limit,
        admission.amount,
        outcome.charge,
        outcome.uncollected,
        settlement.cost_nanos,
        settlement.cost,
        settlement.cost_currency,
        request.price.id,
        settlement.attempts,
        settlement.first_token_ms,
        settlement.total_ms,
        request.client_request_id,
        settlement.provider_request_id,
        request.sdk_retry,
        request.tag,
        admission.started_at,
        now,
    )
