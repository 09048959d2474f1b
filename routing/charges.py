"""What a journey comes to: the counts that are charged, and the settlement that says so.

Charged is what the provider counted where that makes sense, else an estimate of what was
delivered. Where nothing was delivered, and not because the client left, nothing is charged:
what the provider counted all the same stays with the attempt, for the operator to see.
"""

import time
from typing import Any

from billing.models import UsageRecord
from billing.requests import Admission
from billing.settlements import Settlement, Tokens
from routing.call import Call
from routing.dialects.base import Usage
from routing.endings import Ending
from routing.estimates import Estimator
from routing.progress import Progress, milliseconds
from routing.snapshot import ModelRecord

Source = UsageRecord.CountSource

IMPLAUSIBLE = 4
"""A count above so many times the model's context is a provider's slip, not what it bills."""


def build_settlement(
    *, call: Call, admission: Admission, progress: Progress, ending: Ending, estimator: Estimator
) -> Settlement:
    """Return how this request is settled."""
    tokens, source = choose_tokens(call, progress, ending, estimator)
    counted, billed = progress.usage, tokens
    if source != Source.PROVIDER and counted and _is_plausible(counted, call.model):
        billed = counted.tokens
    return Settlement(
        admission=admission,
        tokens=tokens,
        status=ending.status,
        http_status=ending.http_status,
        ended_by=ending.ended_by,
        count_source=source,
        total_ms=milliseconds(progress.began_at, time.monotonic()),
        error_code=ending.error_code,
        finish_reason=progress.finish_reason,
        provider_request_id=progress.provider_request_id,
        first_token_ms=progress.first_token_ms,
        attempts=progress.attempts,
        **progress.describe_route(),
        **progress.describe_cost(billed),
    )


def choose_tokens(call: Call, progress: Progress, ending: Ending, estimator: Estimator) -> tuple[Tokens, str]:
    """Return what to charge and where the counts come from."""
    usage, size, model = progress.usage, progress.delivered_size, call.model
    if not size and ending.error:
        return Tokens(), Source.ESTIMATE
    if usage and _is_plausible(usage, model):
        return usage.tokens, Source.PROVIDER
    if not size:
        return Tokens(), Source.ESTIMATE
    likely = estimator.likely_input(model.slug, call.chat.input_size), estimator.likely_output(model.slug, size)
    return Tokens(input=likely[0], output=likely[1]), Source.ESTIMATE


def _is_plausible(usage: Usage, model: ModelRecord) -> bool:
    """Tell whether these are counts at all: whole, not negative, within what the model can take."""
    most = IMPLAUSIBLE * max(model.context_length, model.max_output_tokens)
    return _is_count(usage.input, most) and _is_count(usage.output, most)


def _is_count(count: Any, most: int) -> bool:
    return isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= most


def describe_checkpoint(call: Call, progress: Progress, estimator: Estimator) -> dict[str, Any]:
    """Return what a record says of this journey in case its process is lost."""
    return {
        "input": estimator.likely_input(call.model.slug, call.chat.input_size),
        "output": estimator.likely_output(call.model.slug, progress.delivered_size),
        **progress.describe_route(),
        "first_token_ms": progress.first_token_ms,
        "attempts": progress.attempts,
        "cost": progress.pack_cost(),
    }


def learn(call: Call, progress: Progress, settlement: Settlement, estimator: Estimator) -> None:
    """Learn a model's ratios from an answer of which all that was counted has been delivered."""
    is_whole = settlement.is_good and settlement.count_source == Source.PROVIDER
    if not is_whole or settlement.demo:
        return
    estimator.learn(
        call.model.slug,
        # Images are counted in tokens, but not in bytes.
        input_size=0 if call.chat.images else call.chat.input_size,
        input_tokens=settlement.tokens.input,
        output_size=progress.delivered_size,
        output_tokens=settlement.tokens.output,
    )
