"""The environment variables an operator may set: the one list, and how they are read.

``SETTINGS`` is what the docs print. A value that makes no sense raises
``ImproperlyConfigured`` with a sentence that says what to write instead.
"""

import ipaddress
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import ParseResult, urlparse

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from billing import money

BASE_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Setting:
    """One variable: its name, how django-environ casts it, its default and what it does."""

    name: str
    cast: Any
    default: Any
    help: str


SETTINGS = [
    Setting("SMARTOKEN_DATA", str, str(BASE_DIR / "var"), "Folder of all state: SQLite file, secrets, Celery's files."),
    Setting("SMARTOKEN_URL", str, "http://127.0.0.1:8000", "The one public address: hosts, cookies, links, samples."),
    Setting("DATABASE_URL", str, "", "PostgreSQL address. Empty: a SQLite file in SMARTOKEN_DATA."),
    Setting("REDIS_URL", str, "", "Redis or Valkey for Celery and the cache. Empty: folders in SMARTOKEN_DATA."),
    Setting("SECRET_KEY", str, "", "Signs sessions and links. Empty: made once in SMARTOKEN_DATA."),
    Setting("SMARTOKEN_CREDENTIAL_KEYS", list, [], "Fernet keys for credentials, newest first. Empty: made once."),
    Setting("TRUSTED_PROXIES", list, [], "Addresses or networks that may set forwarding headers."),
    Setting("SIGNUP", str, "open", "Who may sign up: open, domains, invited or closed."),
    Setting("SIGNUP_DOMAINS", list, [], "With SIGNUP=domains: the e-mail domains that may sign up."),
    Setting("SIGNUP_CREDIT_USD", str, "", "Credit for a confirmed address, once. Empty: 1 with SQLite, else 0."),
    Setting("EMAIL_URL", str, "", "How mail is sent, e.g. smtp+tls://user:password@host:587. Empty: links are shown."),
    Setting("MAIL_FROM", str, "", "Sender of mails. Empty: no-reply at the public host."),
    Setting("ALARM_EMAILS", list, [], "Who gets a mail when the operator must act, once an hour. Needs EMAIL_URL."),
    Setting("ALARM_WEBHOOK_URL", str, "", "Where alarms are POSTed as JSON too, once an hour each. Empty: nowhere."),
    Setting("SMARTOKEN_OPERATOR", str, "", "Who runs the site, name and place: stands on receipts beside its address."),
    Setting("SMARTOKEN_TERMS", str, "", "Your terms: a Markdown file, shown at /terms/, or an address. Empty: none."),
    Setting("SMARTOKEN_SUPPORT", str, "", "How people reach you: a Markdown file, shown at /support/, or an address."),
    Setting("STRIPE_SECRET_KEY", str, "", "Stripe's secret key. With the next one, people pay by Stripe Checkout."),
    Setting("STRIPE_WEBHOOK_SECRET", str, "", "Signing secret of the webhook endpoint, which is at /payments/stripe/."),
    Setting("STRIPE_API_BASE", str, "", "Address of a stand-in for Stripe's API, for tests. Empty: Stripe's own."),
    Setting("SMARTOKEN_ADMIN_SECOND_FACTOR", bool, None, "Ask staff for a second factor. Empty: not with SQLite."),
    Setting("SMARTOKEN_DEMO", bool, None, "Serve pools without a route by the built-in demo. Empty: only with SQLite."),
    Setting("SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS", bool, False, "1 allows upstreams on private and loopback addresses."),
    Setting("SMARTOKEN_DRAIN_SECONDS", float, 30.0, "How long open answers may run on after TERM."),
    Setting("SMARTOKEN_OPEN_REQUESTS", int, 5000, "Requests that a process answers at once; above it 503 overloaded."),
    Setting("SMARTOKEN_BODY_LIMIT_MB", int, 32, "Largest request body."),
    Setting("SMARTOKEN_BODIES_IN_FLIGHT_MB", int, 256, "Request bodies held in memory at once by a process."),
    Setting("SMARTOKEN_BODY_SECONDS", float, 30.0, "How long a client may take to send its body."),
    Setting("SMARTOKEN_CONNECT_SECONDS", float, 5.0, "How long connecting to an upstream may take."),
    Setting("SMARTOKEN_FIRST_BYTE_SECONDS", float, 60.0, "How long an upstream may take to its first word."),
    Setting("SMARTOKEN_FIRST_BYTE_THINKING_SECONDS", float, 300.0, "The same where a model thinks or does not stream."),
    Setting("SMARTOKEN_IDLE_SECONDS", float, 120.0, "Longest silence inside an answer."),
    Setting("SMARTOKEN_ANSWER_SECONDS", float, 1800.0, "Longest answer."),
    Setting("SMARTOKEN_CLIENT_STALL_SECONDS", float, 60.0, "How long a client may read nothing."),
    Setting("PLAYGROUND_DAYS", int, 30, "How many days a Playground conversation is kept after its last answer."),
    Setting("USAGE_DAYS", int, 400, "How many days usage records are kept, at least 32. The ledger stays for good."),
    Setting("LOG_LEVEL", str, "WARNING", "DEBUG, INFO, WARNING or ERROR."),
    Setting("DEBUG", bool, False, "Django's debug pages. Never on a public address."),
]

env = environ.Env(  # type: ignore[no-untyped-call]
    **{setting.name: (setting.cast, setting.default) for setting in SETTINGS}
)

DATA_DIR = Path(env("SMARTOKEN_DATA")).expanduser().resolve()


def _refuse(name: str, problem: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name}: {problem}")


def public_url() -> ParseResult:
    """Return SMARTOKEN_URL, checked: scheme and host, no path, no query."""
    note = DATA_DIR / "url"  # by scripts/run, where nobody has set the variable
    text = note.read_text() if "SMARTOKEN_URL" not in os.environ and note.exists() else env("SMARTOKEN_URL")
    url: ParseResult = urlparse(text.strip().rstrip("/"))
    if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query or url.username:
        raise _refuse("SMARTOKEN_URL", "write an address such as https://gateway.example.com, without a path")
    return url


def database_config() -> dict[str, Any]:
    """Return Django's DATABASES entry for DATABASE_URL, or for the SQLite file."""
    if not env("DATABASE_URL"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "smartoken.sqlite3",
            # A file in tests too: the gateway's threads have connections of their own.
            "TEST": {"NAME": str(DATA_DIR / "test.sqlite3")},
            "OPTIONS": {
                # A write transaction takes its lock at the start: a deferred one
                # fails at once, whatever the timeout, when it turns into a writer.
                "transaction_mode": "IMMEDIATE",
                "timeout": 5,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    config: dict[str, Any] = env.db_url("DATABASE_URL")
    if "postgresql" not in config["ENGINE"]:
        raise _refuse("DATABASE_URL", "only postgres:// addresses are supported; leave it empty for SQLite")
    # A server that has vanished must be noticed while a request can still be told so.
    config["OPTIONS"] = {"connect_timeout": 3, "tcp_user_timeout": 5000, **config.get("OPTIONS", {})}
    # Kept from page to page; looked at before each, since the database may have been restarted meanwhile.
    return {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True, **config}


def mailer_config() -> dict[str, Any]:
    """Return Django's MAILERS entry for EMAIL_URL, or the one that prints mails where there is none."""
    if not env("EMAIL_URL"):
        return {"BACKEND": "smartoken.printedmail.PrintingBackend"}
    config = env.email_url("EMAIL_URL")
    options = {
        "host": config["EMAIL_HOST"],
        "port": config["EMAIL_PORT"] or 25,
        "username": config["EMAIL_HOST_USER"] or "",
        "password": config["EMAIL_HOST_PASSWORD"] or "",
        "use_tls": config.get("EMAIL_USE_TLS", False),
        "use_ssl": config.get("EMAIL_USE_SSL", False),
        "timeout": 10,
    }
    return {"BACKEND": config["EMAIL_BACKEND"], "OPTIONS": options}


def text_place(name: str) -> str:
    """Return the address or the path of an operator's text, '' where none is set; paths begin at SMARTOKEN_DATA."""
    place = env(name).strip()
    if not place or place.startswith(("https://", "http://")):
        return str(place)
    path = DATA_DIR / place
    if not path.is_file():
        raise _refuse(name, f"there is no file {path}; write a Markdown file's path or an https address")
    return str(path)


def read_secret(name: str, kind: str = "text") -> str:
    """Return the secret in DATA_DIR/secret/<name>, made with mode 0600 on first use."""
    folder = DATA_DIR / "secret"
    path = folder / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(Fernet.generate_key().decode() if kind == "fernet" else secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text().strip()


def _check_stripe() -> None:
    key, webhook_secret, base = (env(f"STRIPE_{name}") for name in ("SECRET_KEY", "WEBHOOK_SECRET", "API_BASE"))
    if key and not re.fullmatch(r"[rs]k_[A-Za-z0-9_]{8,250}", key):
        raise _refuse("STRIPE_SECRET_KEY", "write a secret or restricted key; they begin with sk_ or rk_")
    if webhook_secret and not re.fullmatch(r"whsec_[A-Za-z0-9+/=_-]{8,250}", webhook_secret):
        raise _refuse("STRIPE_WEBHOOK_SECRET", "write the endpoint's signing secret; it begins with whsec_")
    if webhook_secret and not key:
        raise _refuse("STRIPE_WEBHOOK_SECRET", "set STRIPE_SECRET_KEY too, or leave both empty")
    url = urlparse(base)
    is_safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in ("127.0.0.1", "::1", "localhost"))
    if base and (not is_safe or not url.hostname or url.path or url.query or url.username):
        raise _refuse("STRIPE_API_BASE", "write https://host or http://127.0.0.1:port, without a path")


def check_values() -> None:
    """Raise ImproperlyConfigured for the first variable whose value makes no sense."""
    if env("SIGNUP") not in ("open", "domains", "invited", "closed"):
        raise _refuse("SIGNUP", "write open, domains, invited or closed")
    if env("SIGNUP") == "domains" and not env("SIGNUP_DOMAINS"):
        raise _refuse("SIGNUP_DOMAINS", "name at least one e-mail domain, or set SIGNUP=open")
    try:
        money.parse_usd(env("SIGNUP_CREDIT_USD") or "0")
    except money.AmountError as error:
        raise _refuse("SIGNUP_CREDIT_USD", str(error)) from None
    _check_alarm_emails()
    for name in ("SMARTOKEN_TERMS", "SMARTOKEN_SUPPORT"):
        text_place(name)
    if not 1 <= env("PLAYGROUND_DAYS") <= 36_500:
        raise _refuse("PLAYGROUND_DAYS", "write a number of days from 1 to 36500")
    if not 32 <= env("USAGE_DAYS") <= 36_500:
        raise _refuse("USAGE_DAYS", "write a number of days from 32 to 36500")
    for network in env("TRUSTED_PROXIES"):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise _refuse("TRUSTED_PROXIES", f"{network!r} is not an address or a network") from None
    _check_stripe()
    for setting in SETTINGS:
        if setting.cast in (int, float) and not env(setting.name) > 0:
            raise _refuse(setting.name, "write a number above 0")
    for key in env("SMARTOKEN_CREDENTIAL_KEYS"):
        try:
            Fernet(key)
        except ValueError:
            problem = "write Fernet keys (44 characters of base64), newest first"
            raise _refuse("SMARTOKEN_CREDENTIAL_KEYS", problem) from None


def _check_alarm_emails() -> None:
    for address in env("ALARM_EMAILS"):
        try:
            validate_email(address.strip())
        except ValidationError:
            raise _refuse("ALARM_EMAILS", f"{address!r} is not an e-mail address") from None
    hook = urlparse(env("ALARM_WEBHOOK_URL"))
    if env("ALARM_WEBHOOK_URL") and (hook.scheme not in ("http", "https") or not hook.hostname or hook.username):
        raise _refuse("ALARM_WEBHOOK_URL", "write an address such as https://alarms.example.com/hook")
    if env("ALARM_EMAILS") and not env("EMAIL_URL"):
        raise _refuse("ALARM_EMAILS", "set EMAIL_URL too: without it no mail can be sent")


check_values()
