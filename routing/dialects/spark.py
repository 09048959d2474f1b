"""iFlytek's Spark. https://www.xfyun.cn/doc/spark/"""

from collections.abc import Mapping
from typing import Any, ClassVar

from routing.dialects.base import Address, Built, Dialect, ErrorTable, Meaning, ModelFacts, Thinking, fold_system
from routing.dialects.parameters import Rule

WITHOUT_TOOLS = frozenset({"lite", "generalv3", "pro-128k"})


def _codes(meaning: Meaning, *codes: int) -> dict[str, Meaning]:
    return {str(code): meaning for code in codes}


class Spark(Dialect):
    label = "Spark (iFlytek)"
    addresses = (
        Address("https://spark-api-open.xf-yun.com/x2", "mainland China, Spark X2"),
        Address("https://spark-api-open.xf-yun.com/agent/v1", "mainland China, Spark X2-Flash"),
        Address("https://spark-api-open.xf-yun.com/v2", "mainland China, Spark X1.5"),
        Address("https://spark-api-open.xf-yun.com/v1", "mainland China, the models before X"),
    )
    models = (
        ModelFacts("spark-x", 65_536, 131_072),
        ModelFacts("4.0Ultra", 32_768, 32_768),
        ModelFacts("max-32k", 32_768, 32_768),
        ModelFacts("pro-128k", 131_072, 131_072),
        ModelFacts("lite", 8_192, 4_096),
    )

    parameters: ClassVar = {
        "temperature": {"clamp": [0, 2]},
        "top_p": {"clamp": [0.01, 1]},
        "presence_penalty": {"clamp": [0, 2]},
        "frequency_penalty": {"clamp": [0, 1]},
        "stop": "refuse",
        "n": {"only": [1], "else": "refuse"},
        "seed": "drop",
        "logit_bias": "drop",
        "parallel_tool_calls": "drop",
        "logprobs": {"only": [False], "else": "refuse"},
        "top_logprobs": "refuse",
    }
    asks_usage = False
    roles: ClassVar = {"developer": "system", "function": "tool"}
    takes_json_schema = False

    # Most come with status 200 and a code in each frame.
    errors = ErrorTable(
        codes={
            **_codes(Meaning.NO_BALANCE, 11200),
            **_codes(Meaning.RATE_LIMITED, 11201, 11202, 11203, 10007),
            **_codes(Meaning.OVERLOADED, 10008, 10110),
            **_codes(Meaning.CONTENT_FILTER, 10013, 10014, 10019),
            **_codes(Meaning.CONTEXT_TOO_LONG, 10907),
            **_codes(Meaning.INVALID_REQUEST, 10163, 10004, 10005, 10006),
        },
        texts=(("invalid user", Meaning.BAD_CREDENTIAL), ("hmac signature", Meaning.BAD_CREDENTIAL)),
    )

    def thinking_of(self, model: str) -> Thinking | None:
        """Only the X models think."""
        if model.startswith("spark-x"):
            return Thinking(on={"thinking": {"type": "enabled"}}, off={"thinking": {"type": "disabled"}})
        return Thinking(off={})

    def parameters_of(self, model: str) -> Mapping[str, Rule]:
        return {**self.parameters, "tools": "refuse"} if model in WITHOUT_TOOLS else self.parameters

    def fit_messages(self, messages: list[dict[str, Any]], model: str) -> list[dict[str, Any]]:
        """The smallest knows no role but user and assistant."""
        fitted = super().fit_messages(messages, model)
        return fold_system(fitted) if model == "lite" else fitted

    def build(self, client_body: dict[str, Any], **options: Any) -> Built:
        """Without the switch a tool call comes as an object instead of a list."""
        built = super().build(client_body, **options)
        if built.body.get("tools"):
            built.body["tool_calls_switch"] = True
        return built
