"""A chat request as it came: parsed once, checked, and measured for its hold."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from routing import estimates
from routing.errors import GatewayError
from routing.extras import refuse_extras

MAX_CHOICES = 8
MAX_MESSAGES = 20_000
"""More than any context takes; each costs time before anything is refused."""
LIMIT_PARAMETERS = ("max_completion_tokens", "max_tokens")

SEEN = ("image_url", "video_url")
"""Parts of a message for which a model must see."""

TYPES: dict[str, tuple[type, ...]] = {
    "stream": (bool,),
    "stream_options": (dict,),
    "tools": (list,),
    "temperature": (int, float),
    "top_p": (int, float),
    "frequency_penalty": (int, float),
    "presence_penalty": (int, float),
    "seed": (int,),
    "stop": (str, list),
    "logprobs": (bool,),
    "top_logprobs": (int,),
    "response_format": (dict,),
    "parallel_tool_calls": (bool,),
    "logit_bias": (dict,),
    "reasoning_effort": (str,),
}
CONTENT = (str, list, type(None))
NAMES = {bool: "a boolean", dict: "an object", list: "an array", int: "a number", float: "a number", str: "a string"}


@dataclass(slots=True)
class ChatRequest:
    """A checked request. ``input_size`` is in bytes, without the payload of images."""

    body: dict[str, Any]
    model: str
    stream: bool
    include_usage: bool
    output_limit: int | None
    choices: int
    input_size: int
    images: int
    tools: int
    wants_json: bool
    reasoning: dict[str, str] = field(default_factory=dict)
    """Tool call id → reasoning that the client lost, and that is put back."""

    def input_bound(self, tokens_per_byte: float) -> int:
        """Return the most input tokens this can be."""
        fixed = (
            estimates.TOKENS_PER_MESSAGE * len(self.body["messages"])
            + estimates.TOKENS_PER_TOOL * self.tools
            + estimates.TOKENS_PER_IMAGE * self.images
        )
        return int(self.input_size * tokens_per_byte) + 1 + fixed


def parse_chat(raw: bytes) -> ChatRequest:
    """Return the chat request in a body. Raises GatewayError with the parameter that is wrong."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise GatewayError("invalid_request", f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    if not isinstance(body, dict):
        raise _invalid("The body must be a JSON object.", None)
    return check_chat(body, len(raw))


def check_chat(body: dict[str, Any], size: int) -> ChatRequest:
    """Return the chat request of a parsed body of ``size`` bytes. Raises GatewayError."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise _invalid('Name a model, such as "deepseek".', "model")
    for name in body:
        if types := TYPES.get(name):
            _check_type(body, name, types)
    messages = _check_messages(body)
    refuse_extras(body)
    images, payload = _count_images(messages)
    tools = body.get("tools") or []
    response_format = body.get("response_format") or {}
    return ChatRequest(
        body=body,
        model=model,
        stream=body.get("stream") or False,
        include_usage=(body.get("stream_options") or {}).get("include_usage") is True,
        output_limit=_read_output_limit(body),
        choices=_read_choices(body),
        input_size=max(0, size - payload),
        images=images,
        tools=len(tools),
        wants_json=response_format.get("type") in ("json_object", "json_schema"),
    )


def _invalid(message: str, param: str | None) -> GatewayError:
    return GatewayError("invalid_request", message, param)


def _check_type(body: dict[str, Any], name: str, types: tuple[type, ...]) -> None:
    value = body.get(name)
    if value is None:
        return
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise _invalid(f"`{name}` must be {NAMES[types[0]]}.", name)


def _check_messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _invalid("`messages` must be an array with at least one message.", "messages")
    if len(messages) > MAX_MESSAGES:
        raise _invalid(f"`messages` may hold {MAX_MESSAGES:,} messages at the most.", "messages")
    for index, message in enumerate(messages):
        is_object = isinstance(message, dict)
        if not (is_object and isinstance(message.get("role"), str) and isinstance(message.get("content"), CONTENT)):
            raise _explain_message(message, f"messages[{index}]")
    return messages


def _explain_message(message: Any, place: str) -> GatewayError:
    if not isinstance(message, dict):
        return _invalid(f"`{place}` must be an object with `role` and `content`.", place)
    if not isinstance(message.get("role"), str):
        return _invalid(f'`{place}.role` must be a string such as "user".', f"{place}.role")
    return _invalid(f"`{place}.content` must be a string or an array of parts.", f"{place}.content")


def _count_images(messages: list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many images there are and how many bytes their data takes in the body."""
    images = payload = 0
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and (kind := part.get("type")) in SEEN:
                source = part.get(kind)
                url = source.get("url") if isinstance(source, dict) else source
                images += 1
                payload += estimates.text_size(url) if str(url).startswith("data:") else 0
    return images, payload


def _read_output_limit(body: dict[str, Any]) -> int | None:
    for name in LIMIT_PARAMETERS:
        limit = body.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit < 2**31:
            raise _invalid(f"`{name}` must be a whole number from 1 to {2**31 - 1}.", name)
        return limit
    return None


def _read_choices(body: dict[str, Any]) -> int:
    choices = body.get("n")
    if choices is None:
        return 1
    if isinstance(choices, bool) or not isinstance(choices, int) or not 1 <= choices <= MAX_CHOICES:
        raise _invalid(f"`n` must be a whole number from 1 to {MAX_CHOICES}.", "n")
    return choices
