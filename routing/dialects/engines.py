"""Servers that serve many models: one's own (vLLM, LMDeploy, SGLang) and aggregators."""

from typing import ClassVar

from routing.dialects.base import Address, Balance, Dialect, ErrorTable, Meaning, Thinking

SWITCH = "enable_thinking"


class VLLM(Dialect):
    """vLLM, LMDeploy and SGLang. https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"""

    label = "vLLM, LMDeploy or SGLang (your own server)"
    thinking = Thinking(
        on={"chat_template_kwargs": {SWITCH: True}},
        off={"chat_template_kwargs": {SWITCH: False}},
    )
    roles: ClassVar = {"developer": "system"}
    errors = ErrorTable(codes={"NotFoundError": Meaning.MODEL_UNKNOWN, "BadRequestError": Meaning.INVALID_REQUEST})


class SiliconFlow(Dialect):
    """SiliconFlow. https://docs.siliconflow.com/"""

    label = "SiliconFlow"
    addresses = (
        Address("https://api.siliconflow.cn/v1", "mainland China"),
        Address("https://api.siliconflow.com/v1", "international"),
    )
    balance = Balance("/user/info", ("data", "totalBalance"))
    thinking = Thinking(on={SWITCH: True}, off={SWITCH: False})
    roles: ClassVar = {"developer": "system"}
    errors = ErrorTable(
        codes={"20012": Meaning.MODEL_UNKNOWN, "30001": Meaning.NO_BALANCE, "50505": Meaning.OVERLOADED}
    )


class OpenRouter(Dialect):
    """OpenRouter. https://openrouter.ai/docs/api-reference/"""

    label = "OpenRouter"
    addresses = (Address("https://openrouter.ai/api/v1", "worldwide"),)
    balance = Balance("/credits", ("data", "total_credits"), "USD", spent=("data", "total_usage"))
    thinking = Thinking(
        on={"reasoning": {"enabled": True}},
        off={"reasoning": {"enabled": False}},
        efforts={name: name for name in ("minimal", "low", "medium", "high")} | {"xhigh": "high", "max": "high"},
    )
    errors = ErrorTable(codes={"402": Meaning.NO_BALANCE, "502": Meaning.SERVER_ERROR, "503": Meaning.OVERLOADED})
