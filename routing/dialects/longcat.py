"""Meituan's LongCat. https://longcat.chat/platform/docs/"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking


class LongCat(Dialect):
    label = "LongCat (Meituan)"
    addresses = (Address("https://api.longcat.chat/openai/v1", "worldwide"),)
    models = (ModelFacts("LongCat-2.0", 1_048_576, 131_072),)

    parameters: ClassVar = {"temperature": {"clamp": [0, 1]}}
    thinking = Thinking(on={"thinking": {"type": "enabled"}}, off={"thinking": {"type": "disabled"}})
    roles: ClassVar = {"developer": "system", "function": "tool"}
    replays_reasoning = True
    takes_json_schema = False

    errors = ErrorTable(
        codes={
            "invalid_api_key": Meaning.BAD_CREDENTIAL,
            "insufficient_quota": Meaning.NO_BALANCE,
            "rate_limit_exceeded": Meaning.RATE_LIMITED,
            "invalid_parameter": Meaning.INVALID_REQUEST,
            "internal_error": Meaning.SERVER_ERROR,
        }
    )

    def models_url(self, base_url: str) -> str:
        return super().models_url(base_url.replace("/openai/", "/"))
