"""Messages as a provider takes them: roles it knows, one system message where it takes no more."""

from collections.abc import Mapping
from typing import Any

Message = dict[str, Any]
MAX_TURNS = 1_000
"""Of a conversation, in which lost reasoning is looked for."""


def map_roles(messages: list[Message], roles: Mapping[str, str]) -> list[Message]:
    """Return the messages with roles that the provider knows; calls of functions become those of tools with them."""
    if "function" in roles:
        messages = _modernize(messages)
    if not any(message["role"] in roles for message in messages):
        return messages
    return [{**message, "role": roles.get(message["role"], message["role"])} for message in messages]


def _modernize(messages: list[Message]) -> list[Message]:
    """Return the messages with each ``function_call``, and what came of it, in the words of tool calls."""
    if not any(message["role"] == "function" or "function_call" in message for message in messages):
        return messages
    modern, id_ = [], ""
    for place, message in enumerate(messages):
        kept = {name: value for name, value in message.items() if name != "function_call"}
        if isinstance(call := message.get("function_call"), dict):
            id_ = f"call_{place}"
            kept["tool_calls"] = [{"id": id_, "type": "function", "function": call}]
        elif message["role"] == "function":
            kept = {"role": "tool", "tool_call_id": id_ or f"call_{place}", "content": message.get("content")}
        modern.append(kept)
    return modern


def join_system(messages: list[Message]) -> list[Message]:
    """Return the messages with one system message, at the beginning."""
    system = [message for message in messages if message["role"] == "system"]
    if len(system) <= 1 and (not system or messages[0] is system[0]):
        return messages
    text = "\n\n".join(filter(None, map(text_of, system)))
    return [{"role": "system", "content": text}, *(message for message in messages if message["role"] != "system")]


def fold_system(messages: list[Message]) -> list[Message]:
    """Return the messages without any of the role system: its text opens the first of the user."""
    text = "\n\n".join(filter(None, (text_of(message) for message in messages if message["role"] == "system")))
    rest = [message for message in messages if message["role"] != "system"]
    if not text:
        return rest
    for place, message in enumerate(rest):
        if message["role"] == "user":
            return [*rest[:place], {**message, "content": _prepend(text, message.get("content"))}, *rest[place + 1 :]]
    return [{"role": "user", "content": text}, *rest]


def add_instruction(messages: list[Message], text: str) -> list[Message]:
    """Return the messages with one more instruction, in the system message where there is one."""
    for place, message in enumerate(messages):
        if message["role"] in ("system", "developer"):
            joined = "\n\n".join(filter(None, (text_of(message), text)))
            return [*messages[:place], {**message, "content": joined}, *messages[place + 1 :]]
    return [{"role": "system", "content": text}, *messages]


def text_of(message: Message) -> str:
    """Return the text of a message, of all its parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def mention(messages: list[Message], word: str) -> bool:
    """Tell whether this word (lower case) stands in any message."""
    return any(word in text_of(message).lower() for message in messages)


def _prepend(text: str, content: Any) -> Any:
    if isinstance(content, list):
        return [{"type": "text", "text": text}, *content]
    return f"{text}\n\n{content}" if content else text


# --- reasoning that a client lost -------------------------------------------


def find_lost(messages: list[Message]) -> list[str]:
    """Return the ids of the latest tool calls whose message lacks the reasoning that came before them."""
    return [id_ for message in messages[-MAX_TURNS:] if (id_ := _lost_id(message))]


def put_back(messages: list[Message], texts: Mapping[str, str]) -> list[Message]:
    """Return the messages with the reasoning that is remembered."""
    return [
        {**message, "reasoning_content": texts[id_]} if (id_ := _lost_id(message)) in texts else message
        for message in messages
    ]


def _lost_id(message: Message) -> str:
    if message["role"] != "assistant" or message.get("reasoning_content"):
        return ""
    calls = message.get("tool_calls")
    first = calls[0] if isinstance(calls, list) and calls else None
    id_ = first.get("id") if isinstance(first, dict) else None
    return id_ if isinstance(id_, str) else ""
