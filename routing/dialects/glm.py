"""Zhipu AI's GLM, BigModel and Z.ai. https://docs.z.ai/api-reference/"""

from typing import Any, ClassVar

from routing.dialects.base import Address, Built, Dialect, ErrorTable, Meaning, ModelFacts, Thinking

EFFORTS = {"minimal": "low", "low": "low", "medium": "high", "high": "high", "xhigh": "max", "max": "max"}


def _codes(meaning: Meaning, *codes: int) -> dict[str, Meaning]:
    return {str(code): meaning for code in codes}


class GLM(Dialect):
    label = "GLM (Zhipu AI, Z.ai)"
    addresses = (
        Address("https://api.z.ai/api/paas/v4", "international"),
        Address("https://open.bigmodel.cn/api/paas/v4", "mainland China"),
    )
    models = (
        ModelFacts("glm-5.3", 1_048_576, 131_072),
        ModelFacts("glm-5.3-flash", 1_048_576, 131_072),
        ModelFacts("glm-5.2", 1_048_576, 131_072),
        ModelFacts("glm-5.1", 204_800, 131_072),
        ModelFacts("glm-4.7", 204_800, 98_304),
    )

    parameters: ClassVar = {
        "temperature": {"clamp": [0, 1]},
        "top_p": {"clamp": [0.01, 1]},
        "stop": {"list": 4},
        "tool_choice": {"only": ["auto"]},
        "n": {"only": [1], "else": "refuse"},
        "seed": "drop",
        "logit_bias": "drop",
        "presence_penalty": "drop",
        "frequency_penalty": "drop",
        "parallel_tool_calls": "drop",
        "logprobs": {"only": [False], "else": "refuse"},
        "top_logprobs": "refuse",
    }
    roles: ClassVar = {"developer": "system", "function": "tool"}
    takes_json_schema = False

    errors = ErrorTable(
        codes={
            **_codes(Meaning.BAD_CREDENTIAL, 1000, 1001, 1002, 1003, 1004),
            **_codes(Meaning.NO_BALANCE, 1112, 1113, 1121),
            **_codes(Meaning.PLAN_ENDED, 1309, 1311),
            **_codes(Meaning.RATE_LIMITED, 1302, 1303, 1304, 1305, 1308, 1310, 1313),
            **_codes(Meaning.OVERLOADED, 1312),
            **_codes(Meaning.CONTENT_FILTER, 1301),
            **_codes(Meaning.CONTEXT_TOO_LONG, 1261),
            **_codes(Meaning.MODEL_UNKNOWN, 1211, 1220, 1221, 1222),
            **_codes(Meaning.INVALID_REQUEST, 1210, 1213, 1214, 1215),
            **_codes(Meaning.SERVER_ERROR, 500, 1230, 1234),
        }
    )

    def thinking_of(self, model: str) -> Thinking:
        """GLM-5.3 always thinks and takes an effort; the others have a switch."""
        if model.startswith("glm-5.3"):
            return Thinking(efforts=EFFORTS)
        off = {"thinking": {"type": "disabled"}}
        efforts = EFFORTS if model.startswith("glm-5.2") else {}
        return Thinking(on={"thinking": {"type": "enabled"}}, off=off, efforts=efforts)

    def build(self, client_body: dict[str, Any], **options: Any) -> Built:
        """That no tool is to be called is said by naming none; arguments come in pieces only if asked for."""
        if client_body.get("tool_choice") == "none":
            client_body = {name: value for name, value in client_body.items() if name not in ("tools", "tool_choice")}
        built = super().build(client_body, **options)
        if built.body.get("tools") and built.body.get("stream"):
            built.body["tool_stream"] = True
        return built

    def fit_messages(self, messages: list[dict[str, Any]], model: str) -> list[dict[str, Any]]:
        """An empty system message is refused."""
        fitted = super().fit_messages(messages, model)
        return [one for one in fitted if one["role"] != "system" or one.get("content")] or fitted
