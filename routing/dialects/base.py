"""Plain OpenAI; a provider's dialect overrides what differs: facts first, code last.

Four jobs: build the request, read an answer, read an error, say what an error means.
Chat bodies are dicts as OpenAI's API documents them:
https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from routing.dialects.answers import FINISH_REASONS, Reader, Usage, read_usage
from routing.dialects.faults import ErrorTable, ErrorWords, UpstreamFault, clean_text, find_error, read_words
from routing.dialects.images import fit_details, refuse_addresses
from routing.dialects.json_output import fit_json
from routing.dialects.meanings import Meaning
from routing.dialects.messages import fold_system, join_system, map_roles, put_back
from routing.dialects.parameters import Rule, apply_rules
from routing.dialects.parsing import parse_json
from routing.dialects.thinking import FIELDS as THINKING_FIELDS
from routing.dialects.thinking import Thinking
from routing.errors import GatewayError

HARMLESS = frozenset(
    {
        "user",
        "metadata",
        "store",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "verbosity",
        "prediction",
    }
)
"""Parameters that can't change the meaning of an answer and that providers don't know."""

CLIENT_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
OTHER_LIMITS = frozenset({"max_new_tokens", "max_output_tokens"})
"""By these, too, a provider may take a limit of the answer: only the held one may reach it."""

DROPPED = HARMLESS | OTHER_LIMITS
KEPT_BACK = DROPPED | CLIENT_LIMITS
OWN = frozenset({"model", "messages", "stream", "stream_options"}) | CLIENT_LIMITS


@dataclass(frozen=True, slots=True)
class Address:
    """One of a provider's addresses; ``region`` in words."""

    url: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model at the provider; lengths in tokens, None where they are not known."""

    id: str
    context: int | None = None
    longest_answer: int | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Where a provider tells what is left in the account: path, the way to the number, its currency.

    ``spent`` is the way to what has to be taken off, where the number is all that was ever paid in.
    """

    path: str
    amount: tuple[str | int, ...]
    currency: str = "CNY"
    spent: tuple[str | int, ...] = ()


@dataclass(slots=True)
class Built:
    """A request body as the upstream takes it, which of the client's parameters it lost, what to check at the end."""

    body: dict[str, Any]
    dropped: list[str] = field(default_factory=list)
    schema: Any = None


class Dialect:
    """Plain OpenAI."""

    label: ClassVar[str] = "Plain OpenAI"
    addresses: ClassVar[tuple[Address, ...]] = ()
    models: ClassVar[tuple[ModelFacts, ...]] = ()
    path: ClassVar[str] = "/chat/completions"
    models_path: ClassVar[str] = "/models"
    balance: ClassVar[Balance | None] = None

    parameters: ClassVar[Mapping[str, Rule]] = {}
    known_parameters: ClassVar[frozenset[str] | None] = None
    """Where a provider refuses unknown fields: all that it knows."""
    output_parameter: ClassVar[str] = "max_tokens"
    bounds_total: ClassVar[bool] = True
    """False where the output parameter leaves reasoning out: the model's longest answer is held if it thinks."""
    asks_usage: ClassVar[bool] = True
    """False where ``stream_options`` is not known: usage comes by itself, or is estimated."""
    thinking: ClassVar[Thinking | None] = None
    """None: the client's own words are passed on."""
    roles: ClassVar[Mapping[str, str]] = {}
    one_system_message: ClassVar[bool] = False
    image_details: ClassVar[frozenset[str] | None] = None
    """The words for an image's ``detail`` where a provider refuses others; those are left out."""
    fetches_images: ClassVar[bool] = True
    """False where an image must come as data, not by its address."""
    takes_json_object: ClassVar[bool] = True
    takes_json_schema: ClassVar[bool] = True
    needs_json_word: ClassVar[bool] = False
    replays_reasoning: ClassVar[bool] = False
    """True where a tool turn without the reasoning before it is refused, or worse for it."""

    finish_reasons: ClassVar[Mapping[str, str]] = FINISH_REASONS
    errors: ClassVar[ErrorTable] = ErrorTable()

    # --- the request ------------------------------------------------------------

    def build(
        self,
        client_body: dict[str, Any],
        *,
        model: str,
        output_limit: int,
        rules: Mapping[str, Rule] | None = None,
        takes_schema: bool = True,
        reasoning: Mapping[str, str] | None = None,
    ) -> Built:
        """Return the upstream's body for a client's: its model id, the held output limit, usage asked for.

        ``rules`` of the upstream's row come before the dialect's; ``takes_schema`` is the route's
        own word on JSON schemas; ``reasoning`` (tool call id → text) goes back where the client
        lost it. Raises GatewayError for what this provider does not take.
        """
        body = {name: value for name, value in client_body.items() if name not in KEPT_BACK}
        dropped = sorted(DROPPED & client_body.keys())
        if not body.get("tools", True):
            body.pop("tools")
            body.pop("tool_choice", None)
        if thinking := self.thinking_of(model):
            dropped += thinking.apply(body)
        if reasoning and self.replays_reasoning:
            body["messages"] = put_back(body["messages"], reasoning)
        schema = fit_json(
            body,
            takes_object=self.takes_json_object,
            takes_schema=takes_schema and self.takes_json_schema,
            needs_word=self.needs_json_word,
        )
        body["messages"] = self.fit_messages(body["messages"], model)  # behind the instruction that JSON may need
        known = self.parameters_of(model)
        dropped += apply_rules(body, {**known, **rules} if rules else known)
        self._refuse_unknown(body)
        body["model"] = model
        body[self.output_parameter_of(model)] = output_limit
        self._ask_for_usage(body)
        return Built(body, dropped, schema)

    def thinking_of(self, model: str) -> Thinking | None:
        """Return how thinking is switched for this model id; None: by the client's own words."""
        return self.thinking

    def parameters_of(self, model: str) -> Mapping[str, Rule]:
        """Return the rules of this model id's parameters."""
        return self.parameters

    def output_parameter_of(self, model: str) -> str:
        """Return by which name this model id is told its output limit."""
        return self.output_parameter

    def fit_messages(self, messages: list[dict[str, Any]], model: str) -> list[dict[str, Any]]:
        """Return the messages as this model takes them. Raises GatewayError."""
        if self.roles:
            messages = map_roles(messages, self.roles)
        if self.image_details is not None:
            messages = fit_details(messages, self.image_details)
        if not self.fetches_images:
            refuse_addresses(messages)
        return join_system(messages) if self.one_system_message else messages

    def _refuse_unknown(self, body: dict[str, Any]) -> None:
        if self.known_parameters is None:
            return
        for name in sorted(body.keys() - OWN - self.known_parameters - frozenset(THINKING_FIELDS)):
            raise GatewayError("unsupported_parameter", f"`{name[:60]}` is not supported by this model.", name[:60])

    def _ask_for_usage(self, body: dict[str, Any]) -> None:
        if body.get("stream") and self.asks_usage:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        else:
            body.pop("stream_options", None)

    def headers(self, credential: str | None) -> list[tuple[str, str]]:
        """Return the headers that carry our credential."""
        return [("authorization", f"Bearer {credential}")] if credential else []

    def models_url(self, base_url: str) -> str:
        """Return where the list of models is."""
        return base_url + self.models_path

    # --- the answer -------------------------------------------------------------

    def reader(self, completion_id: str) -> Reader:
        """Return what puts one answer into OpenAI's shape; its id makes those of tool calls that have none."""
        return Reader(seed=completion_id[-12:], finish_reasons=self.finish_reasons)

    def read_event(self, data: bytes) -> dict[str, Any]:
        """Return the chunk in an event's data. Raises UpstreamFault for an error or anything else."""
        return self.check(parse_json(data))

    def read_answer(self, body: bytes, reader: Reader) -> dict[str, Any]:
        """Return the completion in a whole body, put right. Raises UpstreamFault."""
        answer = self.check(parse_json(body))
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
            raise UpstreamFault.broken("no_choices", "The provider's answer holds no choices.")
        return reader.read_whole(answer)

    def check(self, parsed: Any) -> dict[str, Any]:
        """Return what was parsed if it is an object without an error in it: HTTP 200 is not success."""
        if not isinstance(parsed, dict):
            raise UpstreamFault.broken("not_an_object", "The provider's answer is not an object.")
        if find_error(parsed) is not None:
            raise self.read_error(200, orjson.dumps(parsed))
        return parsed

    def read_usage(self, chunk: Mapping[str, Any]) -> Usage | None:
        """Return the counts in a chunk or an answer, None if there are none."""
        return read_usage(chunk)

    # --- the error --------------------------------------------------------------

    def read_error(self, status: int, body: bytes) -> UpstreamFault:
        """Return what an error answer means: whose fault it is, and whether another route may do better."""
        words = read_words(body)
        return UpstreamFault.of(
            self.classify(status, words),
            status=status,
            param=words.param,
            provider_message=words.text,
            provider_request_id=words.request_id,
        )

    def classify(self, status: int, words: ErrorWords) -> Meaning:
        """Return the meaning of an error."""
        return self.errors.classify(status, words)


__all__ = [
    "Address",
    "Balance",
    "Built",
    "Dialect",
    "ErrorTable",
    "ErrorWords",
    "Meaning",
    "ModelFacts",
    "Thinking",
    "UpstreamFault",
    "Usage",
    "clean_text",
    "fold_system",
]
