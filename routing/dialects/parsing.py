"""Reading JSON from outside: whatever the bytes are, a value that can be written again, or an UpstreamFault."""

import re
from typing import Any

import orjson

from routing.dialects.faults import UpstreamFault

COMMENTS = re.compile(rb"\A(?:\xef\xbb\xbf|\s+|:[^\n]*(?:\n|\Z))+")
ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
MAX_BRACKETS = 200
"""orjson reads what is nested 1,024 deep and writes 254: fewer brackets than this need no second look."""


def parse_json(data: bytes) -> Any:
    """Return the value in an event or a body. Raises UpstreamFault.

    Comments and blank lines before it are left out (DeepSeek, while a request waits). A lone
    half of a surrogate pair, as servers that count in UTF-16 write one, becomes U+FFFD.
    """
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        parsed = _parse_odd(data)
    if data.count(b"{") + data.count(b"[") > MAX_BRACKETS:
        _check_depth(parsed)
    return parsed


def _parse_odd(data: bytes) -> Any:
    data = COMMENTS.sub(b"", data)
    data = ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], data)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    if b"data:" in data:  # a connection that was joined to another one in the middle of an event
        raise UpstreamFault.broken("spliced", "The provider's stream was broken and joined again.")
    raise UpstreamFault.broken("not_json", "The provider's answer is not JSON.")


def _check_depth(parsed: Any) -> None:
    try:
        orjson.dumps([[parsed]])
    except orjson.JSONEncodeError:
        raise UpstreamFault.broken("nesting", "The provider's answer is nested too deeply.") from None
