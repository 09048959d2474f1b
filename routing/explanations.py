"""What a client reads of a provider's failure: our words, chosen by what it means.

The provider's own never reach the client: they may name accounts, addresses and other
people's models. They stay on the attempt, for administrators.
"""

import re
from collections.abc import Collection, Iterable
from itertools import islice

from accounts import keys, management_keys
from routing.dialects.base import Meaning, UpstreamFault

PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*([.\[][A-Za-z0-9_.\[\]]*)?")
MAX_NAMES = 50
PLAIN_WORDS = frozenset({"model", "user", "stream", "n", "stop", "store", "metadata", "prediction"})
"""Parameters whose names are words of a sentence: they count only in quotes."""

LIMITS = ("max_tokens", "max_completion_tokens")

TEXTS: dict[str, str] = {
    Meaning.RATE_LIMITED: "The model's provider takes no more requests at the moment.",
    Meaning.OVERLOADED: "The model's provider has too much to do at the moment.",
    "busy": "Too many requests to this model's provider run at the moment.",
}


def explain_fault(fault: UpstreamFault, parameters: Collection[str] = ()) -> tuple[str, str | None]:
    """Return the text and the parameter to name; no text means the code's own. ``parameters`` are the client's."""
    if fault.reason == Meaning.CONTEXT_TOO_LONG and (limit := next((n for n in LIMITS if n in parameters), None)):
        return f"The messages and `{limit}` together are longer than this model's context.", limit
    if fault.reason != Meaning.INVALID_REQUEST:
        return TEXTS.get(fault.reason, fault.message), _clean(fault.param)
    param = _clean(fault.param) or find_parameter(fault.provider_message, parameters)
    if param:
        return f"The model's provider refused this request because of `{param}`: change it or leave it out.", param
    return (
        "The model's provider refused this request: compare its messages and parameters with the model's page.",
        None,
    )


def explain_key(secret: str) -> str:
    """Return why a key that nobody has here may be wrong, by how it looks; it is not repeated."""
    if secret.startswith("YOUR_"):
        return "This is the placeholder of a sample: put your own API key in its place."
    if secret.startswith(management_keys.PREFIX):
        return "This is a management key: it opens /api/, and calls no model. Make an API key in the console."
    if not secret.startswith(keys.PREFIX):
        return f"This is no API key of this site: they begin with {keys.PREFIX}. Make one in the console."
    if not keys.is_well_formed(secret):
        return "This API key is misspelt, or cut short: copy it again."
    return "This API key is not known here. Check it, or make one in the console."


def _clean(param: str | None) -> str | None:
    """Return the parameter if it reads like one: providers put sentences there too."""
    return param if param and PARAMETER.fullmatch(param) else None


def find_parameter(text: str, parameters: Iterable[str]) -> str | None:
    """Return which of the client's parameters a provider's text names, the longest name first; in quotes at best."""
    # A body may hold a million names; an expression is made only for those that can be found.
    held = islice((name for name in parameters if name in text and PARAMETER.fullmatch(name)), MAX_NAMES)
    names = sorted(held, key=lambda name: (-len(name), name))
    quoted = (name for name in names if re.search(rf"""["'`]{re.escape(name)}["'`]""", text))
    plain = (name for name in names if name not in PLAIN_WORDS and re.search(rf"\b{re.escape(name)}\b", text))
    return next(quoted, None) or next(plain, None)
