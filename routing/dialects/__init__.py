"""How each provider departs from OpenAI's API: one module a provider, `base` for plain OpenAI."""

from routing.dialects.base import Dialect

DIALECTS: dict[str, type[Dialect]] = {"openai": Dialect}


def choices() -> list[tuple[str, str]]:
    """Return the dialects for a form's choices."""
    return [(name, name) for name in DIALECTS]


def get(name: str) -> Dialect:
    """Return the dialect of that name; a KeyError if there is none."""
    return DIALECTS[name]()
