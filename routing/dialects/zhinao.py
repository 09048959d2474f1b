"""360 Zhinao. Its errors are not documented: they are read by status."""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ModelFacts


class Zhinao(Dialect):
    label = "360 Zhinao"
    addresses = (Address("https://api.360.cn/v1", "mainland China"),)
    models = (
        ModelFacts("360gpt2-pro", 8_000, 2_048),
        ModelFacts("360gpt-pro", 8_000, 2_048),
        ModelFacts("360gpt-turbo", 7_000, 2_048),
        ModelFacts("360zhinao2-o1", 8_000),
    )
    parameters: ClassVar = {"temperature": {"clamp": [0, 1]}, "top_p": {"clamp": [0, 1]}}
    asks_usage = False
    roles: ClassVar = {"developer": "system", "function": "tool"}
    takes_json_schema = False
