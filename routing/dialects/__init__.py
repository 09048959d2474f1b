"""How each provider departs from OpenAI's API: one module a provider, ``base`` for plain OpenAI.

A dialect belongs to the upstream: any family may be served by an aggregator or one's own server.
"""

from urllib.parse import urlsplit

from routing.dialects.baichuan import Baichuan
from routing.dialects.base import Dialect
from routing.dialects.deepseek import DeepSeek
from routing.dialects.doubao import Doubao
from routing.dialects.engines import VLLM, OpenRouter, SiliconFlow
from routing.dialects.ernie import Ernie
from routing.dialects.glm import GLM
from routing.dialects.hunyuan import Hunyuan
from routing.dialects.internlm import InternLM
from routing.dialects.kimi import Kimi
from routing.dialects.longcat import LongCat
from routing.dialects.minimax import MiniMax
from routing.dialects.pangu import Pangu
from routing.dialects.qwen import Qwen
from routing.dialects.sensenova import SenseNova
from routing.dialects.spark import Spark
from routing.dialects.stepfun import StepFun
from routing.dialects.yi import Yi
from routing.dialects.zhinao import Zhinao

DIALECTS: dict[str, Dialect] = {
    "openai": Dialect(),
    "vllm": VLLM(),
    "siliconflow": SiliconFlow(),
    "openrouter": OpenRouter(),
    "deepseek": DeepSeek(),
    "kimi": Kimi(),
    "qwen": Qwen(),
    "glm": GLM(),
    "doubao": Doubao(),
    "ernie": Ernie(),
    "hunyuan": Hunyuan(),
    "minimax": MiniMax(),
    "stepfun": StepFun(),
    "baichuan": Baichuan(),
    "spark": Spark(),
    "sensenova": SenseNova(),
    "pangu": Pangu(),
    "zhinao": Zhinao(),
    "yi": Yi(),
    "internlm": InternLM(),
    "longcat": LongCat(),
}


def choices() -> list[tuple[str, str]]:
    """Return the dialects for a form's choices."""
    return [(name, dialect.label) for name, dialect in DIALECTS.items()]


def find_by_host(host: str) -> str:
    """Return the name of the dialect whose provider has this host; '' where none has."""
    spoken = ((name, urlsplit(one.url).hostname) for name, dialect in DIALECTS.items() for one in dialect.addresses)
    return next((name for name, at in spoken if at == host), "")


def get(name: str) -> Dialect:
    """Return the dialect of that name; a KeyError if there is none."""
    return DIALECTS[name]
