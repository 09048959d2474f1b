"""Reading a provider's error: from any status and any body, also one of status 200.

Seventeen providers wrap errors in nine ways; plain text and HTML come too. Codes and words
are collected from all of them, then the dialect's own tables decide, then the common ones,
then the status.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from routing.dialects.meanings import POLICIES, Meaning

MAX_PROVIDER_TEXT = 500
REST_SECONDS = 1.0
"""The first rest of an upstream that could not be reached, broke, or made no sense."""
GOOD_CODES = (0, "0", 200, "200", "", None, "success")
CODE_FIELDS = ("code", "type", "error_code", "status_code", "msgCode", "Code")
TEXT_FIELDS = ("message", "msg", "error_msg", "status_msg", "Message", "Msg", "detail")
STATUS = re.compile(r"[45]\d\d")
BRACKETED = re.compile(r"\((\d{4})\)\s*$")

COMMON_TEXTS: tuple[tuple[str, Meaning], ...] = (
    ("maximum context length", Meaning.CONTEXT_TOO_LONG),
    ("context length", Meaning.CONTEXT_TOO_LONG),
    ("context window", Meaning.CONTEXT_TOO_LONG),
    ("context_length", Meaning.CONTEXT_TOO_LONG),
    ("prompt is too long", Meaning.CONTEXT_TOO_LONG),
    ("inappropriate content", Meaning.CONTENT_FILTER),
    ("sensitive content", Meaning.CONTENT_FILTER),
    ("sensitive information", Meaning.CONTENT_FILTER),
    ("content policy", Meaning.CONTENT_FILTER),
    ("content_policy", Meaning.CONTENT_FILTER),
    ("insufficient balance", Meaning.NO_BALANCE),
    ("insufficient account balance", Meaning.NO_BALANCE),
)
COMMON_CODES: dict[str, Meaning] = {
    "context_length_exceeded": Meaning.CONTEXT_TOO_LONG,
    "content_filter": Meaning.CONTENT_FILTER,
    "content_policy_violation": Meaning.CONTENT_FILTER,
    "invalid_api_key": Meaning.BAD_CREDENTIAL,
    "authentication_error": Meaning.BAD_CREDENTIAL,
    "insufficient_quota": Meaning.NO_BALANCE,
    "model_not_found": Meaning.MODEL_UNKNOWN,
    "rate_limit_exceeded": Meaning.RATE_LIMITED,
    "rate_limit_error": Meaning.RATE_LIMITED,
}
STATUSES: dict[int, Meaning] = {
    400: Meaning.INVALID_REQUEST,
    401: Meaning.BAD_CREDENTIAL,
    402: Meaning.NO_BALANCE,
    403: Meaning.NO_PERMISSION,
    404: Meaning.MODEL_UNKNOWN,
    405: Meaning.WRONG_ADDRESS,
    408: Meaning.SERVER_ERROR,
    413: Meaning.INVALID_REQUEST,
    415: Meaning.INVALID_REQUEST,
    422: Meaning.INVALID_REQUEST,
    429: Meaning.RATE_LIMITED,
    451: Meaning.CONTENT_FILTER,
    503: Meaning.OVERLOADED,
    529: Meaning.OVERLOADED,
}


@dataclass(eq=False)
class UpstreamFault(Exception):
    """Why an attempt failed, in the words of the gateway.

    ``code`` is what the client sees if no other route answers; ``reason`` is a word for
    the attempt's record; ``was_sent`` is False only when the provider can't have got the
    request. ``rest_seconds``: how long the upstream, or its route alone, rests at first, 0 for not at all.
    """

    code: str
    reason: str
    message: str = ""
    may_fail_over: bool = True
    may_retry: bool = False
    rest_seconds: float = 0.0
    rests_route: bool = False
    tells_admin: bool = False
    was_sent: bool = True
    status: int | None = None
    param: str | None = None
    provider_message: str = ""
    provider_request_id: str = ""
    retry_after: int | None = None

    @property
    def cools_down(self) -> bool:
        return self.rest_seconds > 0

    @classmethod
    def of(cls, meaning: Meaning, **fields: Any) -> "UpstreamFault":
        """Return the fault with this meaning, as the table of meanings has it."""
        policy = POLICIES[meaning]
        return cls(
            policy.code,
            meaning.value,
            may_fail_over=policy.may_fail_over,
            may_retry=policy.may_retry,
            rest_seconds=policy.rest_seconds,
            rests_route=policy.rests_route,
            tells_admin=policy.tells_admin,
            **fields,
        )

    @classmethod
    def broken(cls, reason: str, message: str = "") -> "UpstreamFault":
        """Return the fault of an answer that is none."""
        return cls("upstream_error", reason, message, rest_seconds=REST_SECONDS)


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """What an error body says: its codes as texts, its message, the parameter and request id it names."""

    codes: tuple[str, ...] = ()
    text: str = ""
    param: str | None = None
    request_id: str = ""
    is_page: bool = False
    """Text or HTML: of something in front of the provider, as likely as not."""


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """How one provider speaks of errors: codes, parts of messages (lower case), statuses, in this order."""

    codes: Mapping[str, Meaning] = field(default_factory=dict)
    texts: tuple[tuple[str, Meaning], ...] = ()
    statuses: Mapping[int, Meaning] = field(default_factory=dict)

    def classify(self, status: int, words: ErrorWords) -> Meaning:
        text = words.text.lower()
        return (
            _by_text(self.texts, text)
            or _by_code(self.codes, words.codes)
            or _by_text(COMMON_TEXTS, text)
            or self.statuses.get(status)
            or _by_code(COMMON_CODES, words.codes)
            # A firewall does not like the words of one request: that is no reason to let all others wait.
            or (Meaning.SERVER_ERROR if status == 403 and words.is_page else None)
            or STATUSES.get(_read_status(words.codes) if status == 200 else status)
            or (Meaning.INVALID_REQUEST if 400 <= status < 500 else Meaning.SERVER_ERROR)
        )


def _by_text(texts: tuple[tuple[str, Meaning], ...], text: str) -> Meaning | None:
    return next((meaning for part, meaning in texts if part in text), None)


def _read_status(codes: tuple[str, ...]) -> int:
    """Return the status that an error within a 200 answer names as its code, 200 where it names none."""
    return next((int(code) for code in codes if STATUS.fullmatch(code)), 200)


def _by_code(codes: Mapping[str, Meaning], found: tuple[str, ...]) -> Meaning | None:
    return next((codes[code] for code in found if code in codes), None)


def find_error(parsed: dict[str, Any]) -> Any:
    """Return what is an error in a parsed body or event of status 200, None where there is none.

    Met: ``error`` (object or text), ``base_resp`` (MiniMax), ``code`` (Spark, InternLM),
    ``success: false``, ``object: error`` (vLLM), ``type: error``, ``Response.Error`` and
    ``ErrorMsg`` (Tencent), ``status`` (SenseNova).
    """
    if error := parsed.get("error") or parsed.get("ErrorMsg"):
        return error
    if "choices" in parsed and "base_resp" not in parsed and "code" not in parsed:
        return None  # an ordinary chunk
    base = parsed.get("base_resp")
    if isinstance(base, dict) and base.get("status_code") not in GOOD_CODES:
        return base
    response = parsed.get("Response")
    if isinstance(response, dict) and response.get("Error"):
        return response["Error"]
    status = parsed.get("status")
    if isinstance(status, dict) and status.get("code") not in GOOD_CODES:
        return status
    code, kind = parsed.get("code"), (parsed.get("object"), parsed.get("type"))
    has_failed = "error" in kind or parsed.get("success") is False or parsed.get("error_code")
    return parsed if has_failed or (code not in GOOD_CODES and not isinstance(code, dict | list)) else None


def read_words(body: bytes) -> ErrorWords:
    """Return what an error body of any shape says."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ErrorWords(text=clean_text(body[:MAX_PROVIDER_TEXT].decode(errors="replace")), is_page=True)
    return collect_words(parsed)


def collect_words(parsed: Any) -> ErrorWords:
    """Return what a parsed error body says."""
    parts = list(_layers(parsed))
    texts = [text for part in parts for name in TEXT_FIELDS if (text := clean_text(part.get(name)))]
    texts += [text for layer in (parsed, _get(parsed, "error")) if (text := clean_text(layer))]
    text = texts[0] if texts else ""
    codes = [str(part[name]) for part in parts for name in CODE_FIELDS if isinstance(part.get(name), str | int)]
    if bracketed := BRACKETED.search(text):
        codes.insert(0, bracketed[1])
    param = next((part["param"] for part in parts if isinstance(part.get("param"), str) and part["param"]), None)
    ids = (part.get(name) for part in parts for name in ("request_id", "RequestId", "traceId", "sid"))
    request_id = next((clean_text(value, 128) for value in ids if isinstance(value, str)), "")
    return ErrorWords(tuple(clean_text(code, 64) for code in codes), text, clean_text(param, 64) or None, request_id)


def _layers(parsed: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of an error body that may hold codes and words, innermost first."""
    inner = [_get(parsed, name) for name in ("error", "base_resp", "ErrorMsg", "status")]
    return (part for part in (*inner, _get(_get(parsed, "Response"), "Error"), parsed) if isinstance(part, dict))


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def clean_text(text: object, length: int = MAX_PROVIDER_TEXT) -> str:
    """Return a text from outside as a database and a log take it: no control characters, cut."""
    if not isinstance(text, str):
        return ""
    if text.isascii() and text.isprintable():
        return text[:length]
    printable = "".join(character if character.isprintable() else " " for character in text[:length])
    return printable.encode("utf-8", "replace").decode()
