"""Moonshot AI's Kimi. https://platform.kimi.com/docs/api"""

from collections.abc import Mapping
from typing import Any, ClassVar

from routing.dialects.base import Address, Balance, Built, Dialect, ErrorTable, Meaning, ModelFacts, Thinking
from routing.dialects.parameters import Rule
from routing.dialects.thinking import FORCED, NAMED

EFFORTS = {"minimal": "low", "low": "low", "medium": "high", "high": "high", "xhigh": "max", "max": "max"}


class Kimi(Dialect):
    label = "Kimi (Moonshot AI)"
    addresses = (
        Address("https://api.moonshot.ai/v1", "international"),
        Address("https://api.moonshot.cn/v1", "mainland China"),
    )
    models = (
        ModelFacts("kimi-k3", 1_048_576, 1_048_576),
        ModelFacts("kimi-k2.6", 262_144, 262_144),
        ModelFacts("kimi-k2.7-code", 262_144, 262_144),
        ModelFacts("kimi-k2.7-code-highspeed", 262_144, 262_144),
    )
    balance = Balance("/users/me/balance", ("data", "available_balance"))

    # The newer models fix the sampling: any other value is answered with 400.
    parameters: ClassVar = {
        "temperature": "drop",
        "top_p": "drop",
        "presence_penalty": "drop",
        "frequency_penalty": "drop",
        "n": {"only": [1], "else": "refuse"},
        "seed": "drop",
        "logit_bias": "drop",
        "parallel_tool_calls": "drop",
    }
    output_parameter = "max_completion_tokens"
    roles: ClassVar = {"developer": "system", "function": "tool"}
    replays_reasoning = True
    fetches_images = False

    errors = ErrorTable(
        codes={
            "content_filter": Meaning.CONTENT_FILTER,
            "exceeded_current_quota_error": Meaning.NO_BALANCE,
            "rate_limit_reached_error": Meaning.RATE_LIMITED,
            "engine_overloaded_error": Meaning.OVERLOADED,
            "invalid_authentication_error": Meaning.BAD_CREDENTIAL,
            "incorrect_api_key_error": Meaning.BAD_CREDENTIAL,
            "permission_denied_error": Meaning.NO_PERMISSION,
            "resource_not_found_error": Meaning.MODEL_UNKNOWN,
            "server_error": Meaning.SERVER_ERROR,
        },
        texts=(
            ("exceeded model token limit", Meaning.CONTEXT_TOO_LONG),
            ("input token length too long", Meaning.CONTEXT_TOO_LONG),
        ),
    )

    def thinking_of(self, model: str) -> Thinking:
        """The generations are told in three ways: K3 by effort, K2.7 always thinks, K2.6 has a switch."""
        if model.startswith("kimi-k3"):
            return Thinking(efforts=EFFORTS, unforced=frozenset({NAMED}))
        if model.startswith("kimi-k2.7"):
            return Thinking(unforced=FORCED)
        switch = {kind: {"thinking": {"type": kind}} for kind in ("enabled", "disabled")}
        return Thinking(on=switch["enabled"], off=switch["disabled"], unforced=frozenset({NAMED}))

    def parameters_of(self, model: str) -> Mapping[str, Rule]:
        """Only K3 can be told to call any tool."""
        if model.startswith("kimi-k3"):
            return self.parameters
        return {**self.parameters, "tool_choice": {"not": ["required"]}}

    def build(self, client_body: dict[str, Any], **options: Any) -> Built:
        """A schema may not say by which standard it was written."""
        built = super().build(client_body, **options)
        wanted = built.body.get("response_format")
        named = wanted.get("json_schema") if isinstance(wanted, dict) else None
        if isinstance(named, dict) and isinstance(schema := named.get("schema"), dict):
            bare = {name: value for name, value in schema.items() if name != "$schema"}
            built.body["response_format"] = {"type": "json_schema", "json_schema": {**named, "schema": bare}}
        return built
