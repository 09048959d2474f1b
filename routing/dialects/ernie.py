"""Baidu's ERNIE on Qianfan. https://cloud.baidu.com/doc/qianfan-api/"""

from collections.abc import Mapping
from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, ErrorWords, Meaning, ModelFacts, Thinking
from routing.dialects.parameters import Rule

SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "penalty_score",
    "repetition_penalty",
    "seed",
)


class Ernie(Dialect):
    label = "ERNIE (Baidu Qianfan)"
    addresses = (Address("https://qianfan.baidubce.com/v2", "mainland China"),)
    models = (
        ModelFacts("ernie-5.1", 128_000, 65_536),
        ModelFacts("ernie-5.0", 128_000, 65_536),
        ModelFacts("ernie-4.5-turbo-128k", 128_000, 4_096),
        ModelFacts("ernie-x1-turbo-32k", 32_000, 16_384),
    )

    parameters: ClassVar = {
        "temperature": {"clamp": [0.01, 1]},
        "stop": {"list": 4},
        "seed": {"clamp": [1, 2**31 - 2]},
        "n": {"only": [1], "else": "refuse"},
        "logit_bias": "drop",
        "logprobs": {"only": [False], "else": "refuse"},
        "top_logprobs": "refuse",
    }
    # max_tokens bounds the answer alone; this one bounds reasoning and answer, and wins.
    output_parameter = "max_completion_tokens"
    roles: ClassVar = {"developer": "system", "function": "tool"}
    one_system_message = True

    errors = ErrorTable(
        codes={
            "invalid_iam_token": Meaning.BAD_CREDENTIAL,
            # With status 401: the credential is good.
            "invalid_model": Meaning.MODEL_UNKNOWN,
            "model_offline": Meaning.MODEL_UNKNOWN,
            "account_overdue": Meaning.NO_BALANCE,
            "unsafe_request": Meaning.CONTENT_FILTER,
            "image_url_unsafe": Meaning.CONTENT_FILTER,
            "tokens_too_long": Meaning.CONTEXT_TOO_LONG,
            "characters_too_long": Meaning.CONTEXT_TOO_LONG,
            "internal_error": Meaning.SERVER_ERROR,
        }
    )

    def thinking_of(self, model: str) -> Thinking:
        """The X1 models always think."""
        if _is_x1(model):
            return Thinking(on={"enable_thinking": True})
        return Thinking(on={"enable_thinking": True}, off={"enable_thinking": False})

    def parameters_of(self, model: str) -> Mapping[str, Rule]:
        """The X1 models refuse whatever changes the sampling."""
        if not _is_x1(model):
            return self.parameters
        return {**self.parameters, **dict.fromkeys(SAMPLING, "drop"), "stop": "refuse"}

    def classify(self, status: int, words: ErrorWords) -> Meaning:
        """Rate limits have a code for each thing that is counted."""
        if any(code.endswith("rate_limit_exceeded") for code in words.codes):
            return Meaning.RATE_LIMITED
        return super().classify(status, words)


def _is_x1(model: str) -> bool:
    return model.startswith("ernie-x1")
