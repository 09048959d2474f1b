"""SenseTime's SenseNova. https://sensecore.cn/help/docs/model-as-a-service/nova/"""

from typing import Any, ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, Meaning, ModelFacts, Thinking
from routing.dialects.images import address_of, map_images


class SenseNova(Dialect):
    label = "SenseNova (SenseTime)"
    addresses = (
        Address("https://api.sensenova.cn/compatible-mode/v2", "mainland China, classic"),
        Address("https://token.sensenova.cn/v1", "mainland China, token plan"),
    )
    models = (
        ModelFacts("sensenova-6.8-flash-lite", 262_144, 65_536),
        ModelFacts("sensenova-6.7-flash-lite", 256_000, 64_000),
        ModelFacts("SenseNova-V6-5-Pro", 128_000),
        ModelFacts("SenseNova-V6-5-Turbo", 128_000),
    )

    # Both ends of these ranges are open: 0 and 1 are refused.
    parameters: ClassVar = {
        "temperature": {"clamp": [0.01, 2]},
        "top_p": {"clamp": [0.01, 0.99]},
        "frequency_penalty": {"clamp": [0.01, 2]},
        "presence_penalty": "drop",
        "logit_bias": "drop",
        "n": {"only": [1], "else": "refuse"},
    }
    roles: ClassVar = {"developer": "system", "function": "tool"}

    # gRPC's codes: https://grpc.io/docs/guides/status-codes/
    errors = ErrorTable(
        texts=(("sensitive content", Meaning.CONTENT_FILTER), ("inappropriate content", Meaning.CONTENT_FILTER)),
        codes={
            "16": Meaning.BAD_CREDENTIAL,
            "7": Meaning.NO_PERMISSION,
            "8": Meaning.RATE_LIMITED,
            "3": Meaning.INVALID_REQUEST,
            "9": Meaning.INVALID_REQUEST,
            "11": Meaning.INVALID_REQUEST,
            "5": Meaning.MODEL_UNKNOWN,
            "2": Meaning.SERVER_ERROR,
            "4": Meaning.SERVER_ERROR,
            "13": Meaning.SERVER_ERROR,
            "14": Meaning.OVERLOADED,
            "17": Meaning.CONTENT_FILTER,
            "18": Meaning.CONTENT_FILTER,
        },
    )

    def thinking_of(self, model: str) -> Thinking:
        """The classic models have a switch of their own."""
        if _is_classic(model):
            return Thinking(on={"thinking": {"enabled": True}}, off={"thinking": {"enabled": False}})
        efforts = {name: name for name in ("minimal", "low", "medium", "high")}
        return Thinking(off={"reasoning_effort": "none"}, efforts=efforts)

    def output_parameter_of(self, model: str) -> str:
        return "max_new_tokens" if _is_classic(model) else "max_tokens"

    def fit_messages(self, messages: list[dict[str, Any]], model: str) -> list[dict[str, Any]]:
        fitted = super().fit_messages(messages, model)
        return map_images(fitted, _fit_image) if _is_classic(model) else fitted


def _is_classic(model: str) -> bool:
    """Tell the models of the older platform, ``SenseNova-…`` and ``SenseChat-…``, from ``sensenova-…``."""
    return model.startswith("Sense")


def _fit_image(part: dict[str, Any]) -> dict[str, Any]:
    """The classic models take an image's address, or its data, as a plain text."""
    address = address_of(part)
    if address.startswith("data:"):
        return {"type": "image_base64", "image_base64": address.partition(",")[2]}
    return {"type": "image_url", "image_url": address}
