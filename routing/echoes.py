"""A provider's words are kept for administrators, a client's never: some errors quote the request.

Words are dropped when a run of twenty characters of theirs, or a whole short text, stands in
the request, however it is spaced or written; and when that can't be told: where the request
is too long to be looked through, or the words are escaped.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

BLOCK = 10
"""Any run of twice as many characters, less one, holds a whole block of the words."""
SHORTEST = 4
MAX_TEXT = 500_000
MAX_TEXTS = 5_000
ESCAPED = re.compile(r"\\[uUx][0-9a-fA-F]{2}|%[0-9a-fA-F]{2}%|&#x?[0-9a-fA-F]+;")
NOT_SAID = frozenset({"role", "type", "model"})
"""Fields whose texts are the protocol's."""


def drop_echo(words: str, body: dict[str, Any]) -> str:
    """Return the provider's words, '' where they may quote this request."""
    if not words:
        return ""
    if ESCAPED.search(words):
        return ""
    texts = list(islice(_texts(body), MAX_TEXTS + 1))
    if len(texts) > MAX_TEXTS or sum(map(len, texts)) > MAX_TEXT:
        return ""
    plain = _plain(words)
    blocks = [plain[start : start + BLOCK] for start in range(0, len(plain) - BLOCK + 1, BLOCK)]
    for text in map(_plain, texts):
        is_quoted = text in plain if len(text) < 2 * BLOCK else any(block in text for block in blocks)
        if is_quoted and len(text) >= SHORTEST:
            return ""
    return words


def _plain(text: str) -> str:
    return "".join(text.casefold().split())


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a request, but for what an image is made of."""
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            if name not in NOT_SAID:
                yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
