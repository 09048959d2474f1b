"""MiniMax. https://platform.minimax.io/docs/api-reference/"""

from collections.abc import Mapping
from typing import Any, ClassVar

from routing.dialects.answers import Reader
from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking, UpstreamFault

FLAGS = ("input_sensitive", "output_sensitive")


class FlaggedReader(Reader):
    """Where a text is found too sensitive, the answer may be empty, with a flag and without an error.

    A flag beside an answer says only that some words were noticed: the answer stands.
    """

    _flag = ""

    def read_chunk(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        self._flag = self._flag or _find_flag(chunk)
        choices = super().read_chunk(chunk)
        if self._flag and any(choice["finish_reason"] for choice in choices) and not self.has_said:
            raise _filtered(self._flag)
        return choices

    def read_whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        whole = super().read_whole(answer)
        messages = [choice["message"] for choice in whole["choices"]]
        has_said = any(message.get("content") or message.get("tool_calls") for message in messages)
        if (flag := _find_flag(whole)) and not has_said:
            raise _filtered(flag)
        return whole


def _find_flag(answer: Mapping[str, Any]) -> str:
    return next((name for name in FLAGS if answer.get(name) is True), "")


def _filtered(flag: str) -> UpstreamFault:
    return UpstreamFault.of(Meaning.CONTENT_FILTER, provider_message=flag)


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

    def reader(self, completion_id: str) -> Reader:
        return FlaggedReader(seed=completion_id[-12:], finish_reasons=self.finish_reasons)

    def thinking_of(self, model: str) -> Thinking:
        """M3 can be told not to think; the M2 models always do."""
        split = {"reasoning_split": True}
        if model.startswith("MiniMax-M3"):
            off = {"thinking": {"type": "disabled"}}
            return Thinking(on={"thinking": {"type": "adaptive"}, **split}, off=off, always=split)
        return Thinking(on=split, always=split)
