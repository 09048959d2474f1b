"""A site with a history: fills its books, sums them, forgets, names its pages; on the environment's database.

`python -m tests.bench.books fill FIRST COUNT DAYS_AGO DAYS` writes so many records of the bench's key, of the
days before so many days ago. `roll_up`, `rebuild DAYS`, `forget`, `pages` need no more. Prints JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartoken.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.keys import build_record  # noqa: E402
from accounts.models import APIKey, User  # noqa: E402
from billing import ledgersums, retention, rollups, rows  # noqa: E402
from billing.models import Price, UsageRecord  # noqa: E402
from billing.requests import PriceRecord  # noqa: E402
from routing.models import Model  # noqa: E402
from tests.bench.ours import EMAIL  # noqa: E402
from tests.billing import bulk  # noqa: E402
from tests.pages.every_page import PAGES  # noqa: E402

PART = 500_000
"""Records written by one statement."""
OWNER = 2
"""The owner's place in what a page answers."""
OTHERS = ("account_", "mfa_", "usersessions", "invitation", "join")
FILTERED = {
    "usage": (
        "?period=7d",
        "?period=30d&group=key",
        "?model={model}",
        "?status=failed",
        "?order=dearest",
        "?period=30d&model={model}&order=dearest",
    )
}
"""What the usage page is asked beside everything."""


def fill(first: int, count: int, days_ago: int, days: int) -> dict[str, Any]:
    """Write records, entries and the holds that a site still has; the oldest come first."""
    began, until = time.monotonic(), timezone.now() - timedelta(days=days_ago)
    key = build_record(APIKey.objects.select_related("organization").get(created_by__email=EMAIL))
    price = PriceRecord(Price.objects.latest("pk").pk, (10**6, 5 * 10**5, 2 * 10**6))
    rows.execute("SET session_replication_role = replica")  # nothing is looked up for each row: all of them are right
    for place in range(0, count, PART):
        part = min(PART, count - place)
        ends = until - timedelta(days=days * (count - place - part) / count)
        bulk.fill(part, key, price, hours=days * 24 * part / count, until=ends, first=first + place, models=_models())
        rows.execute("DELETE FROM billing_hold WHERE ended_at < %s", [timezone.now() - retention.HOLDS_KEPT])
        print(f"wrote {place + part} of {count} records", file=sys.stderr, flush=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {"seconds": time.monotonic() - began}


def roll_up() -> dict[str, Any]:
    began = time.monotonic()
    added = rollups.roll_up()
    ledgersums.sum_up()
    return {"records": added, "seconds": time.monotonic() - began}


def rebuild(days_ago: int, days: int) -> dict[str, Any]:
    """Sum anew the days before so many days ago."""
    began, today = time.monotonic(), timezone.now().date()
    for day in range(days_ago, days_ago + days + 1):
        rollups.rebuild(today - timedelta(days=day))
    ledgersums.sum_up()
    return {"seconds": time.monotonic() - began}


def forget() -> dict[str, Any]:
    """Delete what is older than USAGE_DAYS."""
    began = time.monotonic()
    deleted = retention.forget_old()["usage records"]
    return {"records": deleted, "seconds": time.monotonic() - began}


def pages() -> dict[str, Any]:
    """Return the addresses of public and console pages that the owner may open, and the cookie of a session."""
    client = Client()
    client.force_login(User.objects.get(email=EMAIL))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    found: list[str] = []
    for name, page in PAGES.items():
        arguments = {word: _find(word, value) for word, value in page.arguments.items()}
        is_wanted = not name.startswith(OTHERS) and not name.endswith("_csv")
        if is_wanted and page.expected[OWNER] == 200 and all(arguments.values()):
            address = reverse(name, kwargs=arguments)
            found += [address, *(address + query.format(model=_models()[0]) for query in FILTERED.get(name, ()))]
    return {"addresses": found, "cookie": f"{cookie.key}={cookie.value}"}


def _models() -> list[str]:
    return list(Model.objects.order_by("slug").values_list("slug", flat=True)[:5])


def _find(word: str, value: str) -> Any:
    """Return what an address's argument is here: a row of the bench's, a slug itself; None for anything else."""
    finders: dict[str, Callable[[], Any]] = {
        "key": lambda: APIKey.objects.get(created_by__email=EMAIL).pk,
        "record": lambda: UsageRecord.objects.order_by("-created_at").values_list("pk", flat=True).first(),
        "month": lambda: timezone.now().strftime("%Y-%m"),
    }
    if word == "slug":
        return value
    return finders[value]() if value in finders else None


WORK: dict[str, Callable[..., dict[str, Any]]] = {
    work.__name__: work for work in (fill, roll_up, rebuild, forget, pages)
}

if __name__ == "__main__":
    print(json.dumps(WORK[sys.argv[1]](*map(int, sys.argv[2:]))), flush=True)
