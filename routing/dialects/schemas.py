"""JSON schemas of clients, checked within bounds: they come from outside, and may cost more than they look.

Steps are counted, so that alternatives of alternatives end; regular expressions, which can
run for ever, are not tried; references lead only within the schema and to the standards,
never over the network. Where a bound is met nothing is said.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import attrs
import jsonschema
import orjson
from jsonschema_specifications import REGISTRY

MAX_BYTES = 65_536
"""Of a schema, and of an answer that is checked by it."""

MAX_STEPS = 2_000
"""Of a check: some 50 ms, for which the process does nothing else."""

NOT_TRIED = ("pattern", "unevaluatedItems", "unevaluatedProperties")
EXPRESSIONS = b'"patternProperties"'
"""Its expressions are tried by other keywords, too."""


class UndecidedError(Exception):
    """A check that would have gone beyond its bounds."""


def is_schema(schema: Any) -> bool:
    """Tell whether this can be a JSON schema; one that is too long to tell can."""
    return isinstance(schema, dict) and _is_schema(orjson.dumps(schema))


@lru_cache(maxsize=256)
def _is_schema(text: bytes) -> bool:
    # Programs send the same schema again and again.
    if len(text) > MAX_BYTES:
        return True
    schema = orjson.loads(text)
    standard = _find_standard(schema)
    return _is_valid(schema, standard.META_SCHEMA, standard) is not False


def fits(text: str, schema: Any) -> bool | None:
    """Tell whether a text is JSON that is valid under the schema; None where that can't be told."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    written = orjson.dumps(schema)
    if len(text) > MAX_BYTES or len(written) > MAX_BYTES or EXPRESSIONS in written:
        return None
    return _is_valid(value, schema, _find_standard(schema))


def _find_standard(schema: Any) -> Any:
    """Return the validator of the standard that a schema names; of the latest where it names none that is known."""
    latest = jsonschema.Draft202012Validator
    is_named = isinstance(schema.get("$schema"), str)
    return jsonschema.validators.validator_for(schema, default=latest) if is_named else latest


def _is_valid(value: Any, schema: Any, standard: Any) -> bool | None:
    try:
        valid: bool = _bind(standard)(schema, registry=REGISTRY).is_valid(value)
    except Exception:  # a bound, a reference that leads nowhere, a keyword's value of the wrong kind
        return None
    return valid


def _bind(standard: Any) -> Any:
    """Return a standard's validator that gives up after so many steps."""
    left = MAX_STEPS

    def count(check: Callable[..., Iterator[Any] | None]) -> Callable[..., Iterator[Any] | None]:
        def counted(*arguments: Any) -> Iterator[Any] | None:
            nonlocal left
            left -= 1
            if left < 0:
                raise UndecidedError
            return check(*arguments)

        return counted

    def give_up(*arguments: Any) -> None:
        raise UndecidedError

    checks = {name: count(check) for name, check in standard.VALIDATORS.items()} | dict.fromkeys(NOT_TRIED, give_up)
    bound: Any = jsonschema.validators.extend(standard, checks)  # type: ignore[no-untyped-call]
    # Its own would turn to an unbound class where a part of the schema names a standard.
    bound.evolve = attrs.evolve
    return bound
