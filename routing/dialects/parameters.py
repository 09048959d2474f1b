"""Parameter rules: how a provider's request departs from OpenAI's, as data.

A rule is ``"keep"``, ``"drop"``, ``"refuse"`` or an object with some of

- ``map``: {value: other value},
- ``only``: the values that are taken; others are refused, or dropped where ``else`` is "drop",
- ``not``: values that are refused,
- ``clamp``: [least, most] for numbers,
- ``list``: most entries; a single value becomes a list,
- ``rename``: the provider's name for it.

Rules come from a dialect and may be corrected in an upstream's row: the same form as JSON.
Dropped is only what can't change the meaning of an answer; it is named to the client.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from routing.errors import GatewayError

Rule = str | Mapping[str, Any]
WORDS = ("keep", "drop", "refuse")
KINDS = ("map", "only", "not", "else", "clamp", "list", "rename")

LISTS = ("only", "not")


class RuleError(ValueError):
    """A rule that makes no sense; the message is for people."""


def apply_rules(body: dict[str, Any], rules: Mapping[str, Rule]) -> list[str]:
    """Change a body (in place) by the rules; return the names that were dropped. Raises GatewayError."""
    dropped = []
    for name in [name for name in rules if name in body]:
        value = body.pop(name)
        if value is None:
            continue
        outcome = _apply(name, value, rules[name])
        if outcome is None:
            dropped.append(name)
        else:
            body[outcome[0]] = outcome[1]
    return sorted(dropped)


def _apply(name: str, value: Any, rule: Rule) -> tuple[str, Any] | None:
    """Return the parameter's name and value for the provider, None where it is dropped. Raises GatewayError."""
    if isinstance(rule, str):
        if rule == "refuse":
            raise GatewayError("unsupported_parameter", f"`{name}` is not supported by this model.", name)
        return None if rule == "drop" else (name, value)
    if "map" in rule and isinstance(value, str):
        value = rule["map"].get(value, value)
    if "only" in rule and value not in rule["only"]:
        if rule.get("else") == "drop":
            return None
        allowed = ", ".join(one if isinstance(one, str) else orjson.dumps(one).decode() for one in rule["only"])
        raise GatewayError("unsupported_parameter", f"This model takes `{name}` only as {allowed}.", name)
    if value in rule.get("not", ()):
        raise GatewayError("unsupported_parameter", f"This model does not take {value} as `{name}`.", name)
    if "clamp" in rule and isinstance(value, int | float) and not isinstance(value, bool):
        least, most = rule["clamp"]
        value = min(max(value, least), most)
    if "list" in rule:
        value = value if isinstance(value, list) else [value]
        if len(value) > rule["list"]:
            raise GatewayError("unsupported_parameter", f"`{name}` takes at most {rule['list']} entries here.", name)
    return rule.get("rename", name), value


def check_rules(rules: Any) -> dict[str, Rule]:
    """Return rules that an administrator wrote, if they make sense. Raises RuleError."""
    if not isinstance(rules, dict):
        raise RuleError('Write an object such as {"temperature": {"clamp": [0, 1]}, "seed": "drop"}.')
    for name, rule in rules.items():
        if isinstance(rule, str):
            if rule not in WORDS:
                raise RuleError(f"{name}: write {', '.join(WORDS)} or an object.")
        elif isinstance(rule, dict):
            _check_object(name, rule)
        else:
            raise RuleError(f"{name}: write {', '.join(WORDS)} or an object.")
    return rules


def _check_object(name: str, rule: dict[str, Any]) -> None:
    if unknown := sorted(set(rule) - set(KINDS)):
        raise RuleError(f"{name}: {unknown[0]!r} is no kind of rule; there are {', '.join(KINDS)}.")
    clamp = rule.get("clamp", [0, 1])
    if not (isinstance(clamp, list) and len(clamp) == 2 and all(_is_number(end) for end in clamp)):
        raise RuleError(f"{name}: clamp takes two numbers, such as [0, 1].")
    if clamp[0] > clamp[1]:
        raise RuleError(f"{name}: the first number of clamp is above the second.")
    if not isinstance(rule.get("map", {}), dict) or not all(isinstance(rule.get(one, []), list) for one in LISTS):
        raise RuleError(f"{name}: map takes an object, {' and '.join(LISTS)} take a list.")
    if rule.get("else", "drop") not in ("drop", "refuse") or not isinstance(rule.get("rename", ""), str):
        raise RuleError(f'{name}: else is "drop" or "refuse", rename is a name.')
    if not isinstance(rule.get("list", 1), int) or isinstance(rule.get("list"), bool) or rule.get("list", 1) < 1:
        raise RuleError(f"{name}: list takes the most entries, a whole number from 1 on.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
