"""Alibaba Cloud's Qwen, DashScope in its compatible mode. https://help.aliyun.com/en/model-studio/"""

import re
from typing import Any, ClassVar

from routing.dialects.base import Address, Built, Dialect, ErrorTable, ErrorWords, Meaning, ModelFacts, Thinking
from routing.dialects.thinking import FORCED
from routing.errors import GatewayError

SWITCH = "enable_thinking"
OPEN_MODEL = re.compile(r"qwen3-\d+(\.\d+)?b")


class Qwen(Dialect):
    label = "Qwen (Alibaba Cloud Model Studio)"
    addresses = (
        Address("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "Singapore"),
        Address("https://dashscope.aliyuncs.com/compatible-mode/v1", "mainland China"),
        Address("https://dashscope-us.aliyuncs.com/compatible-mode/v1", "United States"),
    )
    models = (
        ModelFacts("qwen3.8-max", 1_000_000, 65_536),
        ModelFacts("qwen3.7-max", 1_000_000, 65_536),
        ModelFacts("qwen3.7-plus", 1_000_000, 65_536),
        ModelFacts("qwen3.6-flash", 1_000_000, 65_536),
    )

    parameters: ClassVar = {
        "frequency_penalty": "drop",
        "seed": {"clamp": [0, 2**31 - 1]},
        "temperature": {"clamp": [0, 1.99]},
        "top_p": {"clamp": [0.01, 1]},
        "n": {"only": [1, 2, 3, 4]},
        "logit_bias": "drop",
    }
    thinking = Thinking(on={SWITCH: True}, off={SWITCH: False}, unforced=FORCED)
    roles: ClassVar = {"developer": "system", "function": "tool"}
    replays_reasoning = True
    one_system_message = True
    needs_json_word = True

    errors = ErrorTable(
        codes={
            "data_inspection_failed": Meaning.CONTENT_FILTER,
            "DataInspectionFailed": Meaning.CONTENT_FILTER,
            "Arrearage": Meaning.NO_BALANCE,
            "PostpaidBillOverdue": Meaning.NO_BALANCE,
            "PrepaidBillOverdue": Meaning.NO_BALANCE,
            "BudgetLimitExceeded": Meaning.NO_BALANCE,
            "CommodityNotPurchased": Meaning.PLAN_ENDED,
            "AllocationQuota.FreeTierOnly": Meaning.NO_BALANCE,
            # Of tokens per minute, in spite of its name in OpenAI's list.
            "insufficient_quota": Meaning.RATE_LIMITED,
            "limit_requests": Meaning.RATE_LIMITED,
            "limit_burst_rate": Meaning.RATE_LIMITED,
            "invalid_api_key": Meaning.BAD_CREDENTIAL,
            "access_denied": Meaning.NO_PERMISSION,
            "model_not_found": Meaning.MODEL_UNKNOWN,
            "internal_error": Meaning.SERVER_ERROR,
        },
        texts=(("range of input length should be", Meaning.CONTEXT_TOO_LONG),),
    )

    def build(self, client_body: dict[str, Any], *, model: str, **options: Any) -> Built:
        """The first open models think by themselves, and only in a stream. Raises GatewayError."""
        built = super().build(client_body, model=model, **options)
        if OPEN_MODEL.match(model) and not built.body.get("stream"):
            if built.body.get(SWITCH):
                raise GatewayError("unsupported_parameter", "This model thinks only in a stream.", "stream")
            built.body[SWITCH] = False
        return built

    def classify(self, status: int, words: ErrorWords) -> Meaning:
        """The native names of the rate limits come through now and then."""
        if any(code.startswith("Throttling") for code in words.codes):
            return Meaning.RATE_LIMITED
        return super().classify(status, words)
