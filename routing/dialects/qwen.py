"""Alibaba Cloud's Qwen, DashScope in its compatible mode. https://help.aliyun.com/en/model-studio/"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking


class Qwen(Dialect):
    label = "Qwen (Alibaba Cloud Model Studio)"
    addresses = (
        Address("https://dashscope.aliyuncs.com/compatible-mode/v1", "mainland China"),
        Address("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "Singapore"),
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
    thinking = Thinking(on={"enable_thinking": True}, off={"enable_thinking": False}, refuses_forced_tools=True)
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
