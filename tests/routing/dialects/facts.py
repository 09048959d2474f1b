"""The facts on every provider's API, where they lie beside the project; tests that need them are skipped elsewhere."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from routing.dialects.meanings import Meaning

SHARED = Path(__file__).resolve().parents[4] / "shared"
NAMES = {
    "DeepSeek": "deepseek", "Kimi": "kimi", "Qwen": "qwen", "GLM": "glm", "Doubao": "doubao", "ERNIE": "ernie",
    "Hunyuan": "hunyuan", "MiniMax": "minimax", "StepFun": "stepfun", "LongCat": "longcat", "Pangu": "pangu",
    "Baichuan": "baichuan", "Spark": "spark", "SenseNova": "sensenova", "360 Zhinao": "zhinao", "Yi": "yi",
    "InternLM": "internlm",
}  # fmt: skip

WORDS: list[tuple[str, Meaning]] = [
    # The facts say in words what an error means: the first of these that they hold.
    (r"native Tencent", Meaning.BAD_CREDENTIAL),
    (r"1008 balance, 1002", Meaning.NO_BALANCE),
    (r"plan quota \(2056\)", Meaning.PLAN_ENDED),
    (r"^context_too_long|context_too_long \(older", Meaning.CONTEXT_TOO_LONG),
    (r"^content_filter", Meaning.CONTENT_FILTER),
    (r"^insufficient_balance|^billing|-> insufficient_balance", Meaning.NO_BALANCE),
    (r"^model_not_found|self-hosted: model_not_found", Meaning.MODEL_UNKNOWN),
    (r"^invalid_key|^missing Bearer|2023 signed|/v2,/x2|error is a STRING", Meaning.BAD_CREDENTIAL),
    (r"^rate_limit|concurrency limit|RATE limit|burst limit", Meaning.RATE_LIMITED),
    (r"^overload|^500/503/504", Meaning.OVERLOADED),
    (r"^server_error|^upstream failure", Meaning.SERVER_ERROR),
    (r"^no permission|^forbidden|^service not enabled", Meaning.NO_PERMISSION),
    (r"^wrong path", Meaning.WRONG_ADDRESS),
    (r"^invalid|^bad (request|parameters)|REFUSED", Meaning.INVALID_REQUEST),
]


def read_meaning(text: str) -> Meaning:
    """Return what a fact's words say."""
    return next(meaning for pattern, meaning in WORDS if re.search(pattern, text))


def load_providers() -> list[dict[str, Any]]:
    path = SHARED / "providers.json"
    return json.loads(path.read_text()) if path.exists() else []


def error_shapes() -> list[Any]:
    """Return a parameter set for each documented error: dialect, status, body, meaning."""
    found = []
    for provider in load_providers():
        name = NAMES[provider["family"]]
        for place, shape in enumerate(provider["error_shapes"]):
            meaning = read_meaning(shape["meaning"])
            found.append(pytest.param(name, shape["status"], shape["body"], meaning, id=f"{name}-{place}"))
    return found
