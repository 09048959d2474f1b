"""The journey of one chat request: admit, try routes until the first content, relay, settle.

1. Selection orders the routes that can carry the request.
2. The ledger holds the most it can cost, or refuses.
3. Routes are tried in order until one gives content; from then on there is no other.
4. The answer is relayed as it comes. Nothing reaches the client before the first content.
5. However it ends, one settlement charges what was used and writes the record; the last
   event waits for it, two seconds at the most, since it tells the charge.

With an Idempotency-Key the journey's client is a Recorder, which stays when the client
behind it leaves; the ledger may also say that the answer is there already.

A journey is interrupted only while it waits for an upstream or for a client that does
not read, by its task being cancelled with a reason set: nothing else cancels it.
"""

import asyncio
import logging
import time
from typing import Any
from uuid import UUID

from billing import idempotency, money
from billing.idempotency import Recorded
from billing.requests import Admission
from billing.settlements import Outcome, Settlement, Tokens
from routing import dialects, sse
from routing.admission import admit
from routing.answers import budget_headers, describe_answer
from routing.call import Call
from routing.charges import build_settlement, describe_checkpoint, learn
from routing.client import Client, Headers
from routing.dialects.base import Built, Dialect, UpstreamFault
from routing.dialects.messages import find_lost
from routing.endings import Ending
from routing.errors import GatewayError
from routing.estimates import text_size
from routing.failover import Failover
from routing.patience import explain_silence, find_overdue, needs_comment
from routing.progress import Progress
from routing.relay import Relay
from routing.replays import Recorder, replay, usage_without_cost
from routing.rewrite import usage_object
from routing.runtime import Runtime
from routing.selection import select_routes
from routing.snapshot import RouteRecord
from routing.upstream import UpstreamAnswer

USAGE_PATIENCE_SECONDS = 2.0
MAX_DRAINS = 200
"""So many answers a process reads to their end for clients that have left."""
CHECKPOINT_SECONDS = 2.0
"""With the ticker's own second, a crash loses three seconds of a stream at the most."""

logger = logging.getLogger(__name__)


class Journey:
    def __init__(self, runtime: Runtime, call: Call, client: Client) -> None:
        self._runtime = runtime
        self._call = call
        self.key_id = call.key.id
        self._recorder = Recorder(client) if call.claim else None
        self._client = self._recorder or client
        self._progress = Progress(call)
        self._checkpointed: tuple[float, int] = (0.0, 0)
        self._is_interruptible = False
        self._interruption = ""
        self._is_over = False
        self._task: asyncio.Task[Any] | None = None
        self._admission: Admission | None = None

    # --- the way of a request -------------------------------------------------

    async def run(self) -> None:
        """Answer the client. Raises GatewayError where nothing has been sent yet."""
        try:
            await self._run()
        finally:
            self._is_over = True
            self._runtime.journeys.discard(self)
            self._runtime.drains.discard(self)

    async def _run(self) -> None:
        call, runtime = self._call, self._runtime
        call.check_output_limit()
        likely_input = call.likely_input(runtime.estimator)
        chosen = select_routes(
            call.model, call.chat, likely_input=likely_input, health=runtime.health, chooser=runtime.chooser
        )
        if not chosen.candidates and not await self._is_claimed():
            raise chosen.explain_none(call.model, runtime.health)
        await self._recall_reasoning()
        decision = await admit(runtime, call)
        if isinstance(decision, Recorded):
            assert self._recorder
            await replay(decision, recorder=self._recorder, reader=runtime.reader)
            return
        self._admission = decision
        self._progress.likely_input = likely_input
        self._progress.note_skipped(chosen.skipped)
        self._task = asyncio.current_task()
        runtime.journeys.add(self)
        ending = await self._reach_end(chosen.candidates)
        tokens, outcome = await self._settle(ending)
        await self._finish(ending, tokens, outcome)

    async def _recall_reasoning(self) -> None:
        """Find what the client lost of earlier tool turns; it is paid for as input."""
        chat = self._call.chat
        if (lost := find_lost(chat.body["messages"])) and self._call.keeps_reasoning:
            chat.reasoning = await self._runtime.reasoning.recall(self._call.key.organization_id, lost)
            chat.input_size += sum(map(text_size, chat.reasoning.values()))

    async def _is_claimed(self) -> bool:
        """Tell whether the Idempotency-Key was sent before: a recorded answer needs no route."""
        claim = self._call.claim
        return claim is not None and await self._runtime.reader.run(idempotency.is_claimed, self.key_id, claim)

    async def _reach_end(self, candidates: list[RouteRecord]) -> Ending:
        """Try the routes; whatever breaks in between, the hold must end with what was delivered."""
        try:
            return await self._try_routes(candidates)
        except asyncio.CancelledError:
            # The server gives up waiting for us: the settle is queued, and stop() empties the queue.
            self._runtime.ledger.settle(self._settlement(Ending.interrupted("drain")))
            raise
        except Exception as error:
            logger.exception("unexpected in a journey: %s", type(error).__name__)
            return Ending.broken()

    async def _try_routes(self, candidates: list[RouteRecord]) -> Ending:
        way = Failover(candidates, health=self._runtime.health, chooser=self._runtime.chooser)
        while route := way.next_route():
            if self._client.has_left:
                return Ending.client_left()
            began_at = time.monotonic()
            try:
                self._progress.begin_route(route, has_next=way.has_next, is_retry=way.is_retry)
                await self._take_turn(route, pause=way.pause)
            except UpstreamFault as found:
                fault = found
            except asyncio.CancelledError:
                if not self._interruption:
                    raise
                asyncio.current_task().uncancel()  # type: ignore[union-attr]
                silence = explain_silence(self._call, self._progress, self._interruption)
                if silence is None:
                    self._progress.note_attempt(began_at, "interrupted", self._interruption)
                    return Ending.interrupted(self._interruption)
                self._interruption, fault = "", silence
            else:
                self._progress.note_attempt(began_at, "answered", "retry" if way.is_retry else "")
                self._remember_reasoning()
                self._runtime.health.note_success(route, began_at=began_at)
                return self._completed()
            if self._progress.note_fault(began_at, fault):
                self._runtime.health.note_fault(route, fault, began_at=began_at)
            way.note_fault(route, fault, has_content=self._progress.has_content)
        return Ending.failed(way.fault, parameters=self._call.chat.body, is_cut=self._progress.has_content)

    def _remember_reasoning(self) -> None:
        reader = self._progress.reader
        if reader and reader.call_ids and reader.reasoning:
            organization_id = self._call.key.organization_id
            self._runtime.spawn(self._runtime.reasoning.remember(organization_id, reader.call_ids, reader.reasoning))

    def _completed(self) -> Ending:
        is_alone = self._recorder is not None and self._recorder.is_alone
        return Ending.completed(self._progress.finish_reason, has_left=self._client.has_left, is_alone=is_alone)

    async def _take_turn(self, route: RouteRecord, *, pause: float) -> None:
        """Wait before a second try, then for a place at the upstream; let it answer. Raises UpstreamFault."""
        self._is_interruptible = True
        try:
            if pause:
                await asyncio.sleep(pause)
            if route.upstream.max_parallel is None:
                await self._try_route(route)
                return
            async with self._runtime.slots.place(route.upstream):
                await self._try_route(route)
        finally:
            self._is_interruptible = False

    async def _try_route(self, route: RouteRecord) -> None:
        """Let one route answer. Raises UpstreamFault; content may have been sent by then."""
        assert self._admission
        self._progress.ask()
        dialect = dialects.get(route.upstream.dialect)
        self._progress.output_limit = self._call.output_at(route, self._admission.output_limit, self._runtime.estimator)
        built = self._build(route, dialect)
        self._progress.dropped, self._progress.schema = built.dropped, built.schema
        answer: UpstreamAnswer | None = None
        try:
            answer = await self._runtime.upstreams.open(route, dialect, built.body, own_address=self._call.own_address)
            self._progress.note_opened(answer.request_id)
            if self._call.chat.stream:
                await self._relay(answer, dialect)
            else:
                self._progress.read_whole(await answer.read_all(), dialect)
        finally:
            self._is_interruptible = False
            if answer and answer.is_done and not answer.is_read:
                self._runtime.spawn(answer.drain())
            elif answer:
                answer.close()

    def _build(self, route: RouteRecord, dialect: Dialect) -> Built:
        """Return the route's request. Raises UpstreamFault for what its provider does not take: another may."""
        try:
            return dialect.build(
                self._call.chat.body,
                model=route.upstream_model,
                output_limit=self._progress.output_limit,
                rules=route.upstream.parameter_rules,
                takes_schema=route.json_schema,
                reasoning=self._call.chat.reasoning,
            )
        except GatewayError as error:
            raise UpstreamFault(error.code, "unsupported", error.message, param=error.param, was_sent=False) from None

    async def _relay(self, answer: UpstreamAnswer, dialect: Dialect) -> None:
        """Send the stream on until the provider has finished. Raises UpstreamFault."""
        relay = Relay(
            self._progress.open_stream(dialect),
            self._progress,
            self._client,
            make_headers=self._answer_headers,
            may_hang_up=lambda: self not in self._runtime.drains,
        )
        await relay.run(answer)

    # --- the end ----------------------------------------------------------------

    async def _settle(self, ending: Ending) -> tuple[Tokens, Outcome | None]:
        """Charge what was used; None when the ledger is away: the settlement stays queued."""
        settlement = self._settlement(ending)
        learn(self._call, self._progress, settlement, self._runtime.estimator)
        if self._recorder and settlement.is_good:
            settlement.answer = self._seal(self._recorder, settlement.tokens)
        try:
            outcome = await self._runtime.settle_wait.bound(self._runtime.ledger.settle(settlement))
        except Exception:
            # An answer that exists is finished all the same; the hold protects the money.
            return settlement.tokens, None
        return settlement.tokens, outcome

    def _seal(self, recorder: Recorder, tokens: Tokens) -> bytes | None:
        """Return the answer as an Idempotency-Key keeps it; whatever breaks here, the settle must go on."""
        assert self._admission
        try:
            last = self._progress.write_last(usage_without_cost(tokens))
            return recorder.seal(
                last,
                headers=describe_answer(self._call, self._admission, self._progress),
                text_size=self._progress.delivered_size,
            )
        except Exception as error:
            logger.exception("an answer can't be kept: %s", type(error).__name__)
            return None

    def _settlement(self, ending: Ending) -> Settlement:
        assert self._admission
        return build_settlement(
            call=self._call,
            admission=self._admission,
            progress=self._progress,
            ending=ending,
            estimator=self._runtime.estimator,
        )

    async def _finish(self, ending: Ending, tokens: Tokens, outcome: Outcome | None) -> None:
        """Send what is left to send; a client that does not read it is given up."""
        self._interruption, self._is_interruptible = "", True
        try:
            await self._answer(ending, tokens, outcome)
        except asyncio.CancelledError:
            if not self._interruption:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        finally:
            self._is_interruptible = False

    async def _answer(self, ending: Ending, tokens: Tokens, outcome: Outcome | None) -> None:
        """Send what is left to send. Raises GatewayError where nothing was sent."""
        if self._client.has_left or ending.is_stalled:
            return
        if ending.error:
            if not self._client.has_started:
                ending.error.extra_headers = self._budget_headers(outcome)
                raise ending.error
            await self._client.finish(sse.write_event(ending.error_event(str(self._call.id))))
            return
        body = self._progress.write_last(usage_object(tokens, outcome.charge if outcome else self._charge_of(tokens)))
        if self._progress.stream:
            if not self._client.has_started:
                await self._client.start(200, self._answer_headers())
        else:
            await self._client.start(200, self._answer_headers(outcome, length=len(body)))
        await self._client.finish(body)

    def _charge_of(self, tokens: Tokens) -> int:
        return money.charge(tokens.input, tokens.cached, tokens.output, self._call.model.price.micros)

    def _answer_headers(self, outcome: Outcome | None = None, length: int | None = None) -> Headers:
        assert self._admission
        headers = [*self._budget_headers(outcome)]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        return [*headers, *describe_answer(self._call, self._admission, self._progress)]

    def _budget_headers(self, outcome: Outcome | None) -> Headers:
        assert self._admission
        reached = outcome or self._admission
        return budget_headers(reached.standings, self._admission.limits)

    # --- what the ticker and the connection ask -----------------------------------

    def note_client_left(self) -> None:
        """From now on nothing counts as delivered; a stream is read on for its usage, two seconds.

        A whole answer is read to its end, since the provider bills it; so is a stream
        of an upstream that goes on billing when we hang up. With an Idempotency-Key all
        goes on as if the client had stayed: it can ask for the answer again.
        """
        if self._is_over:
            return
        is_drained = self._outlives_client() and len(self._runtime.drains) < MAX_DRAINS
        if is_drained:
            self._runtime.drains.add(self)
        if is_drained and self._recorder:
            self._recorder.is_alone = True
            return
        self._client.has_left = True
        if not is_drained:
            asyncio.get_running_loop().call_later(USAGE_PATIENCE_SECONDS, self.interrupt, "client")

    def _outlives_client(self) -> bool:
        bills_on = bool(self._progress.route and self._progress.route.upstream.bills_after_abort)
        return bills_on or not self._call.chat.stream or self._recorder is not None

    def interrupt(self, reason: str) -> None:
        """Stop waiting for the upstream or the client, for this reason; the journey then ends itself."""
        if self._is_interruptible and not self._interruption and self._task:
            self._interruption = reason
            self._task.cancel()

    def tick(self, now: float) -> None:
        asked = (self._call, self._progress, self._client, now)
        if reason := find_overdue(*asked):
            self.interrupt(reason)
        elif self._is_interruptible and needs_comment(*asked):
            self._progress.spoke_at = now
            self._client.comment(self._answer_headers())

    def take_checkpoint(self, now: float) -> tuple[UUID, dict[str, Any]] | None:
        """Return what was delivered, for the case of a crash; None where nothing changed since the last time."""
        written_at, size = self._checkpointed
        stream = self._progress.stream
        if not stream or stream.size == size or (size and now - written_at < CHECKPOINT_SECONDS):
            return None
        self._checkpointed = (now, stream.size)
        return self._call.id, describe_checkpoint(self._call, self._progress, self._runtime.estimator)
