"""What a request may not buy: there are prices for tokens, and for nothing else."""

from typing import Any

from routing.errors import GatewayError

FREE_SERVICE_TIERS = (None, "auto", "default")
OFF: tuple[Any, ...] = (None, False, "", [])
ENABLED_FIELDS = ("enable", "enabled")
OLD_FORMS = {"functions": "tools", "function_call": "tool_choice"}
"""Providers ignore these without a word, so that the answer would not be what was asked for."""
COUNTS = ("best_of", "num_beams")
HIDDEN = "Making answers that are not shown"

BILLED: dict[str, str] = {
    # name: what it buys; the switches of all providers, since a request may reach any of them
    **dict.fromkeys(
        (
            "web_search_options",
            "web_search",
            "search_options",
            "search_parameters",
            "search",
            "enable_search",
            "forced_search",
            "force_search_enhancement",
            "enable_enhancement",
            "enable_deep_search",
            "enable_speed_search",
            "with_search_enhance",
            "online",
        ),
        "Web search",
    ),
    **dict.fromkeys(("plugins", "builtin_tools", "server_tools", "mcp_servers"), "What a provider runs by itself"),
    **dict.fromkeys(("code_interpreter", "enable_code_interpreter"), "Running code at a provider"),
    **dict.fromkeys(("knowledge_base", "retrieval", "file_search"), "Searching files at a provider"),
    **dict.fromkeys((*COUNTS, "use_beam_search"), HIDDEN),
    "audio": "Sound in an answer",
    "models": "Another model in place of the one that was asked for",
}


def refuse_extras(body: dict[str, Any]) -> None:
    """Raise GatewayError for what a provider bills beyond the tokens of one answer."""
    for name in body:
        if name in BILLED and not _is_off(name, body[name]):
            raise _unsupported(f"{BILLED[name]} is not sold here: leave out `{name}`.", name)
    if any(kind != "text" for kind in _as_list(body.get("modalities"))):
        raise _unsupported("Answers are text here: leave out `modalities`.", "modalities")
    for name, new in OLD_FORMS.items():
        if body.get(name) not in OFF:
            raise _unsupported(
                f"`{name}` is OpenAI's old form of `{new}`, which providers pass over: send `{new}`.", name
            )
    if body.get("service_tier") not in FREE_SERVICE_TIERS:
        raise _unsupported("Only the default service tier is sold here.", "service_tier")
    for index, tool in enumerate(body.get("tools") or []):
        if not isinstance(tool, dict) or tool.get("type", "function") != "function":
            param = f"tools[{index}]"
            raise _unsupported(f'`{param}` must be an object of type "function".', param)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_off(name: str, value: Any) -> bool:
    """Tell whether this value buys nothing: an empty object does, since its being there is the switch."""
    if isinstance(value, dict):
        return any(value.get(field) is False for field in ENABLED_FIELDS)
    return value in OFF or (value == 1 and name in COUNTS)


def _unsupported(problem: str, param: str) -> GatewayError:
    return GatewayError("unsupported_parameter", problem, param)
