"""A chat request that is to be answered: who asks for what, and what it may cost."""

from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from accounts.keys import KeyRecord
from billing.idempotency import Claim
from billing.requests import MIN_DEFAULT_OUTPUT, HoldRequest
from routing import dialects
from routing.errors import GatewayError
from routing.estimates import Estimator
from routing.requests import ChatRequest
from routing.snapshot import ModelRecord, RouteRecord


class Call(NamedTuple):
    """``own_address`` is where this server was reached; ``claim`` that of an Idempotency-Key."""

    id: UUID
    key: KeyRecord
    chat: ChatRequest
    model: ModelRecord
    own_address: tuple[str, int]
    client_request_id: str = ""
    sdk_retry: int = 0
    tag: str = ""
    may_lower: bool = False
    claim: Claim | None = None

    @property
    def completion_id(self) -> str:
        return f"chatcmpl-{self.id.hex}"

    @property
    def is_made_in_silence(self) -> bool:
        """Whether a provider may work, and bill, for minutes before it says a word."""
        return self.model.thinks or not self.chat.stream

    @property
    def keeps_reasoning(self) -> bool:
        """Whether a provider of this model wants back what it thought before it called a tool."""
        return any(dialects.get(route.upstream.dialect).replays_reasoning for route in self.model.routes)

    def likely_input(self, estimator: Estimator) -> int:
        """Return how many tokens the input has, as far as can be guessed."""
        return estimator.likely_input(self.model.slug, self.chat.input_size)

    def check_output_limit(self) -> None:
        """Raise GatewayError where the client asks for more than the model can answer."""
        asked, most = self.chat.output_limit, self.model.max_output_tokens
        if asked and asked > most:
            problem = f"{self.model.slug} answers with at most {most} tokens; ask for fewer."
            raise GatewayError("invalid_request", problem, "max_tokens")

    def hold_request(self, estimator: Estimator) -> HoldRequest:
        """Return what to ask of the ledger."""
        model, chat = self.model, self.chat
        return HoldRequest(
            id=self.id,
            key=self.key,
            model=model.slug,
            price=model.price,
            input_bound=self._input_bound(estimator),
            output_limit=chat.output_limit,
            default_output=self._default_output(estimator),
            longest_output=self._longest_output(),
            choices=chat.choices,
            may_lower=self.may_lower,
            stream=chat.stream,
            client_request_id=self.client_request_id,
            sdk_retry=self.sdk_retry,
            tag=self.tag,
            seconds=settings.ANSWER_SECONDS,
            claim=self.claim,
        )

    def _longest_output(self) -> int:
        """Return the model's longest answer where a provider's limit leaves reasoning out, else 0."""
        spoken = {route.upstream.dialect for route in self.model.routes}
        is_bound = not self.model.thinks or all(dialects.get(name).bounds_total for name in spoken)
        return 0 if is_bound else self.model.max_output_tokens

    def _input_bound(self, estimator: Estimator) -> int:
        """Return the most input tokens to hold for: the context bounds them, unless the text is likely longer."""
        likely = self.likely_input(estimator)
        most = max(self.model.context_length, likely + likely // 2)
        return min(self.chat.input_bound(self.model.tokens_per_byte_bound), most)

    def output_at(self, route: RouteRecord, held: int, estimator: Estimator) -> int:
        """Return the output limit to send to a route: what is held, at most its own longest answer.

        Where the client named none, it is no more than the route's context leaves: servers of
        one's own refuse a request whose input and limit together pass the context.
        """
        most = min(held, route.max_output_tokens)
        if self.chat.output_limit is not None:
            return most
        likely = self.likely_input(estimator)
        left = route.context_length - likely - likely // 4  # a guess, which may be too low
        return min(most, max(left, min(MIN_DEFAULT_OUTPUT, route.context_length // 4), 1))

    def _default_output(self, estimator: Estimator) -> int:
        """Return the output limit of a request that names none: what its context leaves, where that is less.

        That is a guess: an answer of a few words would be worse than a provider's refusal.
        """
        left = self.model.context_length - self.likely_input(estimator)
        return min(self.model.default_output_tokens, max(left, MIN_DEFAULT_OUTPUT))
