"""Moonshot AI's Kimi. https://platform.kimi.com/docs/api"""

from typing import ClassVar

from routing.dialects.base import Address, Balance, Dialect, ErrorTable, Meaning, ModelFacts, Thinking

EFFORTS = {"minimal": "low", "low": "low", "medium": "high", "high": "high", "xhigh": "max", "max": "max"}


class Kimi(Dialect):
    label = "Kimi (Moonshot AI)"
    addresses = (
        Address("https://api.moonshot.cn/v1", "mainland China"),
        Address("https://api.moonshot.ai/v1", "international"),
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
            return Thinking(efforts=EFFORTS, refuses_forced_tools=False)
        if model.startswith("kimi-k2.7"):
            return Thinking(refuses_forced_tools=True)
        switch = {kind: {"thinking": {"type": kind}} for kind in ("enabled", "disabled")}
        return Thinking(on=switch["enabled"], off=switch["disabled"], refuses_forced_tools=True)
