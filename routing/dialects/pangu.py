"""Huawei Cloud's Pangu on ModelArts MaaS. https://support.huaweicloud.com/intl/en-us/usermanual-maas-modelarts/"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking
from routing.dialects.engines import VLLM


def _codes(meaning: Meaning, *codes: int) -> dict[str, Meaning]:
    return {f"ModelArts.{code}": meaning for code in codes}


class Pangu(Dialect):
    label = "Pangu (Huawei Cloud MaaS)"
    addresses = (
        Address("https://api-ap-southeast-1.modelarts-maas.com/v2", "Hong Kong"),
        Address("https://api.modelarts-maas.com/v2", "mainland China"),
    )
    models = (ModelFacts("openpangu-2.0-pro", 512_000, 128_000), ModelFacts("openpangu-2.0-flash", 512_000, 128_000))

    # An unknown field is answered with 400, extra_forbidden.
    known_parameters = frozenset(
        {
            "temperature",
            "top_p",
            "top_k",
            "stop",
            "n",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "tools",
            "tool_choice",
            "response_format",
            "chat_template_kwargs",
            "thinking",
        }
    )
    parameters: ClassVar = {
        "logit_bias": "drop",
        "parallel_tool_calls": "drop",
        "logprobs": {"only": [False], "else": "refuse"},
        "temperature": {"clamp": [0, 2]},
    }
    roles: ClassVar = {"developer": "system", "function": "tool"}

    errors = ErrorTable(
        codes={
            **_codes(Meaning.BAD_CREDENTIAL, 81002, 81003),
            **_codes(Meaning.NO_PERMISSION, 81004),
            **_codes(Meaning.NO_BALANCE, 81005, 81006),
            **_codes(Meaning.PLAN_ENDED, 81014, 81019, 81020, 81021, 81022, 81023),
            **_codes(Meaning.MODEL_UNKNOWN, 81009),
            **_codes(Meaning.CONTENT_FILTER, 81011),
            **_codes(Meaning.INVALID_REQUEST, 81013),
            **_codes(Meaning.RATE_LIMITED, 81101, 81103),
            "APIG.0308": Meaning.RATE_LIMITED,
            "APIG.0101": Meaning.WRONG_ADDRESS,
            "APIG.0203": Meaning.SERVER_ERROR,
        }
    )

    def thinking_of(self, model: str) -> Thinking:
        """The Qwen models that it hosts are told by their template."""
        if model.startswith("qwen3"):
            return VLLM.thinking
        return Thinking(on={"thinking": {"type": "enabled"}}, off={"thinking": {"type": "disabled"}})
