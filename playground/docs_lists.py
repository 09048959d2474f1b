"""Pages of the documentation whose content is a list in the code, written as Markdown."""

from collections.abc import Callable
from http import HTTPStatus

from routing import conformance
from routing.errors import ERRORS, ErrorKind
from smartoken.environment import SETTINGS, Setting

NOTES = {
    "context_length_exceeded": "A route of the pool with more context is tried first, where there is one.",
    "content_filter": "No other route is asked, and the request is not charged where nothing was delivered.",
    "unsupported_parameter": "`param` names it. Another route of the pool that takes it is tried first.",
    "insufficient_quota": "`limit_source` is `wallet`. With `x-should-retry: true` only requests that are still "
    "running stand in the way, and it may fit when they end; with `false` the money is spent.",
    "budget_exceeded": "`limit_source` is `key_day` or `key_month`; `limit_usd`, `spent_usd` and `resets_at` tell the "
    "limit, what is spent, and when it begins anew. `x-should-retry` is `true` only while running "
    "requests hold what is left.",
    "https_required": "There is no redirect: the key has already been sent in the open by then. Make a new one.",
    "model_not_found": "The message proposes the nearest id.",
    "unknown_endpoint": "The message names what was probably meant, or what there is.",
    "idempotency_conflict": "Final (`x-should-retry: false`) where the answer was too long to keep: it was "
    "charged once.",
    "rate_limit_exceeded": "`limit_source` is `requests_per_minute`, or `wrong_keys` where an address has sent a "
    "hundred unknown keys within a minute.",
    "internal_error": "Nothing was charged unless something was delivered. Tell the operator the `request_id`.",
    "upstream_error": "Where another route could take over, it was tried before; the attempts are on the request's "
    "page.",
    "no_healthy_route": "All providers of the model are resting after failures, for more than a minute "
    "where `x-should-retry` is `false`; see [status](/status/).",
    "upstream_timeout": "In a stream, what was delivered before is charged.",
}

ERRORS_HEAD = """
Errors have OpenAI's shape, so that SDKs raise their own exceptions:

```json
{
  "error": {
    "message": "The key's daily budget of $5 can't cover this request: $4.98 is spent.",
    "type": "insufficient_quota",
    "param": null,
    "code": "budget_exceeded",
    "limit_source": "key_day",
    "limit_usd": "5",
    "spent_usd": "4.98",
    "resets_at": "2026-11-26T00:00:00+00:00",
    "request_id": "019ab6c4-1f0e-7d4a-9a51-5c8f3f0e2b77",
    "docs_url": "{{ site }}/docs/errors/#budget_exceeded"
  }
}
```

- Go by `code`: codes are stable, messages are for people.
- `x-should-retry` tells SDKs whether to try again; where it is `true`, `Retry-After` says when, at most 60 seconds.
- In a stream that has begun the same object comes as the last event, with its `status`; there is no `[DONE]` after it.
- `request_id` is the `x-request-id` of the answer. It finds the request in [usage](/console/usage/), where it ran.
- Refused before it ran: the last hundred of each key are in the [console](/console/usage/refused/), with the reason.

```samples errors
```
"""


def write_errors() -> str:
    """Return a section for each error code, under its status."""
    parts, status = [ERRORS_HEAD], 0
    for code, kind in ERRORS.items():
        if kind.status != status:
            status = kind.status
            parts.append(f"## {status} {HTTPStatus(status).phrase}")
        parts.append(_write_error(code, kind))
    return "\n\n".join(parts)


def _write_error(code: str, kind: ErrorKind) -> str:
    retry = "yes, SDKs do by themselves" if kind.may_retry else "no: the same request would be refused again"
    note = NOTES.get(code, "")
    if code in ("insufficient_quota", "budget_exceeded"):
        retry = "only where `x-should-retry` is `true`"
    lines = [f"### `{code}`", "", f"- **Cause:** {kind.message}", f"- **Cure:** {kind.cure}", f"- **Retry:** {retry}."]
    return "\n".join([*lines, *(["", note] if note else [])])


SETTING_GROUPS = {
    "The site": ("SMARTOKEN_URL", "TRUSTED_PROXIES", "LOG_LEVEL", "DEBUG"),
    "Its operator": ("SMARTOKEN_OPERATOR", "SMARTOKEN_TERMS", "SMARTOKEN_SUPPORT"),
    "Its state": (
        "SMARTOKEN_DATA",
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "SMARTOKEN_CREDENTIAL_KEYS",
        "USAGE_DAYS",
        "PLAYGROUND_DAYS",
    ),
    "People": ("SIGNUP", "SIGNUP_DOMAINS", "SIGNUP_CREDIT_USD", "SMARTOKEN_ADMIN_SECOND_FACTOR"),
    "Mail and alarms": ("EMAIL_URL", "MAIL_FROM", "ALARM_EMAILS", "ALARM_WEBHOOK_URL"),
    "Payments": ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE"),
    "The gateway": (),
}
"""What stands in no group belongs to the last one."""


def write_settings() -> str:
    """Return a section for each environment variable, in groups."""
    waiting = {setting.name: setting for setting in SETTINGS}
    groups = {title: [waiting.pop(name) for name in names] for title, names in SETTING_GROUPS.items()}
    groups["The gateway"] += waiting.values()
    return "\n\n".join(
        "\n\n".join([f"## {title}", *map(_write_setting, settings)]) for title, settings in groups.items()
    )


def _write_setting(setting: Setting) -> str:
    default = "var" if setting.name == "SMARTOKEN_DATA" else setting.default
    if default in ("", None, []):
        return f"### `{setting.name}`\n\n{setting.help}"
    shown = (
        f"{default:g}" if isinstance(default, float) else str(int(default)) if isinstance(default, bool) else default
    )
    return f"### `{setting.name}`\n\n{setting.help} Default: `{shown}`."


def write_conformance() -> str:
    """Return the sheet as two tables."""
    levels = "\n".join(f"- **{word}**: {meaning}" for word, meaning, _ in conformance.LEVELS.values())
    tables = []
    for title, labels, rows in conformance.list_tables():
        head = ["Family", *labels]
        lines = [
            [f"[{row.family.name}](/models/{row.family.slug}/)", *(each.word for each in row.results)] for row in rows
        ]
        written = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines)]
        tables.append(f"## {title}\n\n" + "\n".join(written))
    return "\n\n".join([levels, *tables])


MADE: dict[str, tuple[str, str, Callable[[], str]]] = {
    "errors": ("Errors", "Every error of `/v1`: its cause, its cure, and whether to try again.", write_errors),
    "conformance": (
        "Conformance",
        "What each model family's translation to OpenAI's API was tested against: a real answer of the provider, its "
        "documentation, or nothing yet.",
        write_conformance,
    ),
    "settings": ("Settings", "Every environment variable that an operator may set.", write_settings),
}
"""slug → title, lead, what writes the rest."""
