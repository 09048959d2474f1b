"""The hold of a request: asked for, waited for, and given back where it comes when nobody waits any more."""

import asyncio
from functools import partial
from typing import Any

from billing.batcher import HOLD_PATIENCE_SECONDS, LedgerUnavailableError, OverloadedError
from billing.idempotency import Conflict, Recorded
from billing.requests import Admission, Refusal
from routing.answers import refusal_error
from routing.call import Call
from routing.charges import build_settlement, queue_settlement
from routing.endings import Ending
from routing.errors import GatewayError
from routing.progress import Progress
from routing.replays import conflict_error
from routing.runtime import Runtime
from routing.waits import wait_within

WAIT_SECONDS = HOLD_PATIENCE_SECONDS + 0.5
"""A thread that hangs in the database can't say so itself."""


async def admit(runtime: Runtime, call: Call) -> Admission | Recorded:
    """Hold the most this request can cost, or find its answer recorded. Raises GatewayError."""
    try:
        decision = await _decide(runtime, call)
    except OverloadedError:
        raise GatewayError("overloaded", retry_after=1) from None
    except (LedgerUnavailableError, TimeoutError):
        raise GatewayError("ledger_unavailable", retry_after=2) from None
    if isinstance(decision, Refusal):
        raise refusal_error(decision, may_see_wallet=call.key.may_see_wallet)
    if isinstance(decision, Conflict):
        raise conflict_error(decision)
    assert isinstance(decision, Admission | Recorded)
    return decision


async def _decide(runtime: Runtime, call: Call) -> Any:
    future = runtime.ledger.admit(call.hold_request(runtime.estimator))
    try:
        return await wait_within(future, WAIT_SECONDS)
    except TimeoutError:
        future.add_done_callback(partial(_release, runtime, call, Ending.interrupted("silent")))
        raise
    except asyncio.CancelledError:
        future.add_done_callback(partial(_release, runtime, call, Ending.client_left()))
        raise


def _release(runtime: Runtime, call: Call, ending: Ending, future: "asyncio.Future[Any]") -> None:
    """Give back a hold that was granted too late."""
    if future.cancelled() or future.exception() or not isinstance(future.result(), Admission):
        return
    settlement = build_settlement(
        call=call, admission=future.result(), progress=Progress(call), ending=ending, estimator=runtime.estimator
    )
    queue_settlement(runtime.ledger, settlement)
