"""Tencent's Hunyuan on TokenHub. https://cloud.tencent.com/document/product/1823"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking


class Hunyuan(Dialect):
    label = "Hunyuan (Tencent TokenHub)"
    addresses = (
        Address("https://tokenhub-intl.tencentcloudmaas.com/v1", "Singapore"),
        Address("https://tokenhub.tencentmaas.com/v1", "mainland China"),
        Address("https://tokenhub-us.tencentcloudmaas.com/v1", "United States"),
    )
    models = (ModelFacts("hy4", 1_024_000, 64_000), ModelFacts("hy3", 256_000, 128_000))

    parameters: ClassVar = {
        "presence_penalty": "drop",
        "frequency_penalty": "drop",
        "logit_bias": "drop",
        "n": {"only": [1], "else": "refuse"},
    }
    thinking = Thinking(
        on={"thinking": {"type": "enabled"}},
        off={"thinking": {"type": "disabled"}},
        efforts={"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"},
    )
    roles: ClassVar = {"developer": "system", "function": "tool"}

    errors = ErrorTable(
        codes={
            "401002": Meaning.BAD_CREDENTIAL,
            "401007": Meaning.NO_BALANCE,
            "401008": Meaning.NO_BALANCE,
            "403004": Meaning.NO_BALANCE,
            "403001": Meaning.NO_PERMISSION,
            "429001": Meaning.RATE_LIMITED,
            "451001": Meaning.CONTENT_FILTER,
            "502001": Meaning.SERVER_ERROR,
            "content_filter_error": Meaning.CONTENT_FILTER,
            "AuthFailure.SignatureFailure": Meaning.BAD_CREDENTIAL,
        }
    )
