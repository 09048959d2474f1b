"""The hold of a request: asked for, waited for, and given back where it comes when nobody waits any more."""

import asyncio
from functools import partial
from typing import Any

from billing.batcher import LedgerUnavailableError, OverloadedError
from billing.idempotency import Conflict, Recorded
from billing.requests import Admission, Refusal
from routing.answers import refusal_error
from routing.call import Call
from routing.charges import build_settlement
from routing.endings import Ending
from routing.errors import GatewayError
from routing.progress import Progress
from routing.replays import conflict_error
from routing.runtime import Runtime


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
    give_back = partial(_give_back, runtime, call)
    future = runtime.ledger.admit(call.hold_request(runtime.estimator), late=give_back)
    try:
        return await runtime.hold_wait.bound(future)
    except asyncio.CancelledError:
        if future.done() and not future.cancelled() and not future.exception():  # both in the same moment
            give_back(future, future.result())
        raise


def _give_back(runtime: Runtime, call: Call, future: "asyncio.Future[Any]", decision: Any) -> None:
    """Give back a hold that was granted when nobody waited for it any more."""
    if not isinstance(decision, Admission):
        return
    is_late = not future.cancelled() and future.exception() is not None
    ending = Ending.interrupted("silent") if is_late else Ending.client_left()
    settlement = build_settlement(
        call=call, admission=decision, progress=Progress(call), ending=ending, estimator=runtime.estimator
    )
    runtime.ledger.settle(settlement)
