"""01.AI's Yi. https://platform.lingyiwanwu.com/docs"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts


class Yi(Dialect):
    label = "Yi (01.AI)"
    addresses = (Address("https://api.lingyiwanwu.com/v1", "mainland China"),)
    models = (
        ModelFacts("yi-lightning", 16_384, 4_000),
        ModelFacts("yi-large", 32_768, 16_384),
        ModelFacts("yi-medium-200k", 204_800, 204_800),
        ModelFacts("yi-vision-v2", 16_384, 4_096),
    )
    parameters: ClassVar = {"top_p": {"clamp": [0.01, 0.99]}, "temperature": {"clamp": [0, 2]}}
    asks_usage = False
    roles: ClassVar = {"developer": "system", "function": "tool"}
    takes_json_schema = False

    errors = ErrorTable(
        codes={"invalid_authorization": Meaning.BAD_CREDENTIAL},
        texts=(("insufficient balance", Meaning.NO_BALANCE), ("model not found", Meaning.MODEL_UNKNOWN)),
    )
