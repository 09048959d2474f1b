"""MiniMax. https://platform.minimax.io/docs/api-reference/"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking


def _codes(meaning: Meaning, *codes: int) -> dict[str, Meaning]:
    return {str(code): meaning for code in codes}


class MiniMax(Dialect):
    label = "MiniMax"
    addresses = (
        Address("https://api.minimax.io/v1", "international"),
        Address("https://api.minimaxi.com/v1", "mainland China"),
    )
    models = (
        ModelFacts("MiniMax-M3", 1_000_000, 524_288),
        ModelFacts("MiniMax-M2.7", 204_800, 131_072),
        ModelFacts("MiniMax-M2.7-highspeed", 204_800, 131_072),
        ModelFacts("MiniMax-M2.5", 204_800, 131_072),
    )

    parameters: ClassVar = {
        "n": {"only": [1], "else": "refuse"},
        "temperature": {"clamp": [0.01, 2]},
        "presence_penalty": "drop",
        "frequency_penalty": "drop",
        "logit_bias": "drop",
    }
    output_parameter = "max_completion_tokens"
    roles: ClassVar = {"developer": "system", "function": "tool"}
    replays_reasoning = True
    one_system_message = True
    # Neither is documented.
    takes_json_object = False
    takes_json_schema = False

    # The number stands in base_resp, or in brackets at the end of the message.
    errors = ErrorTable(
        texts=(("context window exceeds limit", Meaning.CONTEXT_TOO_LONG),),
        codes={
            **_codes(Meaning.NO_BALANCE, 1008),
            **_codes(Meaning.PLAN_ENDED, 2056),
            **_codes(Meaning.RATE_LIMITED, 1002, 1041, 2045),
            **_codes(Meaning.BAD_CREDENTIAL, 1004, 2049),
            **_codes(Meaning.CONTENT_FILTER, 1026, 1027),
            **_codes(Meaning.CONTEXT_TOO_LONG, 1039),
            **_codes(Meaning.INVALID_REQUEST, 2013),
            **_codes(Meaning.SERVER_ERROR, 1000, 1001, 1013, 1024, 1033),
        },
    )

    def thinking_of(self, model: str) -> Thinking:
        """M3 can be told not to think; the M2 models always do."""
        split = {"reasoning_split": True}
        if model.startswith("MiniMax-M3"):
            off = {"thinking": {"type": "disabled"}}
            return Thinking(on={"thinking": {"type": "adaptive"}, **split}, off=off, always=split)
        return Thinking(on=split, always=split)
