"""Images in messages as a provider takes them."""

from collections.abc import Callable, Container
from typing import Any

from routing.errors import GatewayError

Message = dict[str, Any]
Part = dict[str, Any]


def map_images(messages: list[Message], change: Callable[[Part], Part]) -> list[Message]:
    """Return the messages with each part that is an image changed."""
    return [
        {**message, "content": [change(part) if _is_image(part) else part for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def fit_details(messages: list[Message], known: Container[str]) -> list[Message]:
    """Return the messages without the words for an image's detail that are not known, such as ``auto``."""

    def fit(part: Part) -> Part:
        source = part["image_url"]
        if not isinstance(source, dict) or source.get("detail") in known:
            return part
        return {**part, "image_url": {name: value for name, value in source.items() if name != "detail"}}

    return map_images(messages, fit)


def refuse_addresses(messages: list[Message]) -> None:
    """Raise GatewayError for an image that the provider would have to fetch."""
    for index, message in enumerate(messages):
        content = message.get("content")
        for place, part in enumerate(content if isinstance(content, list) else ()):
            if _is_image(part) and address_of(part).lower().startswith(("http:", "https:")):
                problem = "This model's provider fetches no images: send the image itself, as a `data:` address."
                raise GatewayError("unsupported_parameter", problem, f"messages[{index}].content[{place}].image_url")


def address_of(part: Part) -> str:
    """Return where an image lies, or its data; '' where it names neither."""
    source = part["image_url"]
    address = source.get("url") if isinstance(source, dict) else source
    return address if isinstance(address, str) else ""


def _is_image(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_url" and "image_url" in part
