"""StepFun. https://platform.stepfun.com/docs/"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking


class StepFun(Dialect):
    label = "StepFun"
    addresses = (
        Address("https://api.stepfun.ai/v1", "international"),
        Address("https://api.stepfun.com/v1", "mainland China"),
    )
    models = (
        ModelFacts("step-3.7-flash", 256_000, 256_000),
        ModelFacts("step-3.5-flash", 256_000),
        ModelFacts("step-3.5-flash-2603", 256_000),
    )

    parameters: ClassVar = {
        "presence_penalty": "drop",
        "seed": "drop",
        "logit_bias": "drop",
        "n": {"only": [1, 2, 3, 4, 5]},
        "logprobs": {"only": [False], "else": "refuse"},
        "top_logprobs": "refuse",
        "parallel_tool_calls": "drop",
    }
    image_details = frozenset({"low", "high"})
    asks_usage = False  # each chunk carries it anyway
    thinking = Thinking(
        efforts={"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"},
        always={"reasoning_format": "deepseek-style"},
    )
    roles: ClassVar = {"developer": "system", "function": "tool"}

    errors = ErrorTable(
        codes={
            "invalid_api_key": Meaning.BAD_CREDENTIAL,
            "quota_exceeded": Meaning.NO_BALANCE,
            "rate_limited": Meaning.RATE_LIMITED,
            "censorship_blocked": Meaning.CONTENT_FILTER,
            "engine_overloaded": Meaning.OVERLOADED,
            "not_found": Meaning.WRONG_ADDRESS,
        },
        texts=(("does not exist or you have no permission", Meaning.MODEL_UNKNOWN),),
    )
