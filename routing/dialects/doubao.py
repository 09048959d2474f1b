"""ByteDance's Doubao, Volcengine Ark and BytePlus ModelArk. https://docs.byteplus.com/en/docs/ModelArk/1494384"""

from typing import ClassVar

from routing.dialects.base import Address, Dialect, ErrorTable, ErrorWords, Meaning, ModelFacts, Thinking

EFFORTS = {name: name for name in ("minimal", "low", "medium", "high")} | {"xhigh": "high", "max": "high"}


class Doubao(Dialect):
    label = "Doubao (Volcengine Ark)"
    addresses = (
        Address("https://ark.cn-beijing.volces.com/api/v3", "mainland China"),
        Address("https://ark.ap-southeast.bytepluses.com/api/v3", "international"),
    )
    models = (
        ModelFacts("doubao-seed-2-1-pro-260915", 1_024_000, 256_000),
        ModelFacts("doubao-seed-2-1-turbo-260628", 256_000, 256_000),
        ModelFacts("doubao-seed-2-0-lite-260428", 1_024_000),
        ModelFacts("doubao-seed-2-0-mini-260428", 1_024_000),
    )

    parameters: ClassVar = {
        "presence_penalty": "drop",
        "frequency_penalty": "drop",
        "logit_bias": "drop",
        "logprobs": {"only": [False], "else": "refuse"},
        "top_logprobs": "refuse",
        "n": {"only": [1], "else": "refuse"},
        "seed": "drop",
        "stop": {"list": 4},
    }
    # Of the two, max_tokens leaves the reasoning out; only one may be sent.
    output_parameter = "max_completion_tokens"
    image_details = frozenset({"low", "high", "xhigh"})
    thinking = Thinking(on={"thinking": {"type": "enabled"}}, off={"thinking": {"type": "disabled"}}, efforts=EFFORTS)
    roles: ClassVar = {"developer": "system", "function": "tool"}

    errors = ErrorTable(
        codes={
            "AuthenticationError": Meaning.BAD_CREDENTIAL,
            "AccountOverdueError": Meaning.NO_BALANCE,
            "SetLimitExceeded": Meaning.NO_BALANCE,
            "AccessDenied": Meaning.NO_PERMISSION,
            "ModelNotOpen": Meaning.NO_PERMISSION,
            "InvalidEndpointOrModel.NotFound": Meaning.MODEL_UNKNOWN,
            "ServerOverloaded": Meaning.OVERLOADED,
            "InternalServiceError": Meaning.SERVER_ERROR,
            "QuotaExceeded": Meaning.RATE_LIMITED,
            "RequestBurstTooFast": Meaning.RATE_LIMITED,
        },
        texts=(("exceed max message tokens", Meaning.CONTEXT_TOO_LONG),),
    )

    def classify(self, status: int, words: ErrorWords) -> Meaning:
        """Codes come in families: whatever was detected, in text or image, input or output."""
        if any("SensitiveContent" in code or "RiskDetection" in code for code in words.codes):
            return Meaning.CONTENT_FILTER
        if any("RateLimitExceeded" in code for code in words.codes):
            return Meaning.RATE_LIMITED
        return super().classify(status, words)
