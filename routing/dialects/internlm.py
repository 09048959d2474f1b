"""Shanghai AI Laboratory's InternLM, hosted. For one's own server take the dialect ``vllm``."""

from typing import Any, ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking, fold_system


class InternLM(Dialect):
    label = "InternLM (Shanghai AI Laboratory)"
    addresses = (
        Address("https://chat.intern-ai.org.cn/api/v1", "mainland China"),
        Address("https://discovery-api.intern-ai.org.cn/v1", "mainland China, Intern Discovery"),
    )
    models = (
        ModelFacts("intern-s2"),
        ModelFacts("intern-s1-pro", 262_144),
        ModelFacts("intern-s1", 32_768),
        ModelFacts("internlm3-latest", 32_768),
    )
    thinking = Thinking(on={"thinking_mode": True}, off={"thinking_mode": False})
    roles: ClassVar = {"developer": "system", "function": "tool"}

    errors = ErrorTable(
        codes={
            "A0202": Meaning.BAD_CREDENTIAL,
            "A0211": Meaning.BAD_CREDENTIAL,
            "-20053": Meaning.RATE_LIMITED,
            "-20013": Meaning.MODEL_UNKNOWN,
            "-20004": Meaning.NO_PERMISSION,
            "-20035": Meaning.NO_PERMISSION,
            "NotFoundError": Meaning.MODEL_UNKNOWN,
        },
        texts=(("login required", Meaning.BAD_CREDENTIAL),),
    )

    def fit_messages(self, messages: list[dict[str, Any]], model: str) -> list[dict[str, Any]]:
        """intern-s2 is silent for ever when there is a system message."""
        fitted = super().fit_messages(messages, model)
        return fold_system(fitted) if model.startswith("intern-s2") else fitted
