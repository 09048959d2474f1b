"""Baichuan AI. https://platform.baichuan-ai.com/docs/api"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts


class Baichuan(Dialect):
    label = "Baichuan"
    addresses = (Address("https://api.baichuan-ai.com/v1", "mainland China"),)
    models = (
        ModelFacts("Baichuan-M3-Plus", 32_000, 16_000),
        ModelFacts("Baichuan-M3", 32_000, 30_000),
        ModelFacts("Baichuan4-Turbo", 32_000, 4_096),
        ModelFacts("Baichuan3-Turbo-128k", 128_000, 4_096),
    )

    parameters: ClassVar = {
        "temperature": {"clamp": [0, 1]},
        "n": {"only": [1], "else": "refuse"},
        "seed": "drop",
        "logit_bias": "drop",
        "presence_penalty": "drop",
        "frequency_penalty": "drop",
        "parallel_tool_calls": "drop",
        "logprobs": {"only": [False], "else": "refuse"},
        "top_logprobs": "refuse",
    }
    asks_usage = False
    roles: ClassVar = {"developer": "system", "function": "tool"}
    takes_json_schema = False

    errors = ErrorTable(
        codes={
            "invalid_api_key": Meaning.BAD_CREDENTIAL,
            "api_key_empty": Meaning.BAD_CREDENTIAL,
            "invalid_authentication": Meaning.BAD_CREDENTIAL,
            "insufficient_quota": Meaning.NO_BALANCE,
            "rate_limit_exceeded": Meaning.RATE_LIMITED,
            "internal_error": Meaning.SERVER_ERROR,
            # The signed interface of 2023, as a guard.
            "10101": Meaning.BAD_CREDENTIAL,
        }
    )
