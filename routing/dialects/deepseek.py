"""DeepSeek. https://api-docs.deepseek.com/"""

from typing import ClassVar

from routing.dialects.base import Address, Balance, Dialect, ErrorTable, Meaning, ModelFacts, Thinking
from routing.dialects.thinking import FORCED


class DeepSeek(Dialect):
    label = "DeepSeek"
    addresses = (Address("https://api.deepseek.com", "worldwide"),)
    models = (
        ModelFacts("deepseek-flash", 1_000_000, 393_216),
        ModelFacts("deepseek-v4-pro", 1_000_000, 393_216),
    )
    balance = Balance("/user/balance", ("balance_infos", 0, "total_balance"))

    parameters: ClassVar = {
        "n": {"only": [1], "else": "refuse"},
        "seed": "drop",
        "parallel_tool_calls": "drop",
        "logit_bias": "drop",
    }
    thinking = Thinking(
        on={"thinking": {"type": "enabled"}},
        off={"thinking": {"type": "disabled"}},
        efforts={"minimal": "low", "low": "low", "medium": "high", "high": "high", "xhigh": "high", "max": "max"},
        unforced=FORCED,
    )
    roles: ClassVar = {"developer": "system", "function": "tool"}
    replays_reasoning = True
    takes_json_schema = False
    needs_json_word = True

    errors = ErrorTable(
        texts=(
            ("content exists risk", Meaning.CONTENT_FILTER),
            ("model not exist", Meaning.MODEL_UNKNOWN),
            ("insufficient balance", Meaning.NO_BALANCE),
        ),
        codes={"rate_limit_error": Meaning.RATE_LIMITED, "authentication_error": Meaning.BAD_CREDENTIAL},
    )
