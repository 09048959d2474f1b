"""Two hundred requests at once on a small wallet: on SQLite one gateway process, on PostgreSQL two."""

import json
from collections import Counter
from decimal import Decimal

import pytest

from tests.gateway.crowd import Heard, ask_at_once
from tests.gateway.processes import Process, Site

BODIES = {
    "whole@example.com": {"max_tokens": 100},
    "stream@example.com": {"max_tokens": 100, "stream": True},
    "default@example.com": {"stream": True},
    "dear@example.com": {"max_tokens": 100, "model": "glm"},
    "budget@example.com": {"max_tokens": 100},
}
LIMIT = Decimal("0.004")
CLAIMING = "claims@example.com"
WANTED = dict.fromkeys(BODIES, (0.004, ())) | {"budget@example.com": (1.0, ("--daily", "0.004")), CLAIMING: (1.0, ())}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream_server):
    """Gateway processes of a site of its own; when all is done, the books are right and nothing is held."""
    site = Site(tmp_path_factory.mktemp("site"))
    routes = {"deepseek": "ok", "glm": "usage-dear"}
    site.run(
        *[
            ["addupstream", "--family", family, "--base-url", f"{upstream_server.address}/{family}", "--model", model]
            for family, model in routes.items()
        ]
    )
    site.secrets = site.create_keys(WANTED)
    site.urls = [site.start().url for _ in range(2 if site.is_postgresql else 1)]
    yield site
    checked = site.check()
    site.close()
    assert (checked["open_holds"], checked["differences"]) == (0, 0)


@pytest.fixture(autouse=True)
def books_are_right(upstream_server):
    """The fixture of the gateway looks at the end."""
    upstream_server.reset()


@pytest.mark.parametrize("email", BODIES)
def test_a_small_wallet_or_budget_is_never_overspent(gateway, email):
    heard = [Heard() for _ in range(200)]
    ask_at_once(gateway.urls, gateway.secrets[email], heard, **BODIES[email])
    statuses = Counter(one.status for one in heard)
    assert statuses.keys() <= {200, 402}, statuses
    assert statuses[200] > 0
    (records,) = gateway.usage(email)
    assert 0 < sum(Decimal(record["charge"]) for record in records) <= LIMIT
    assert len(records) == statuses[200]
    codes = {json.loads(one.text)["error"]["code"] for one in heard if one.status == 402}
    assert codes <= {"budget_exceeded" if "budget" in email else "insufficient_quota"}


def test_equal_requests_with_one_idempotency_key_are_one_debit(gateway):
    heard = [Heard() for _ in range(50)]
    ask_at_once(gateway.urls, gateway.secrets[CLAIMING], heard, claim="order-1", stream=True)
    statuses = Counter(one.status for one in heard)
    assert statuses.keys() <= {200, 409}, statuses
    assert len({one.text for one in heard if one.status == 200}) == 1
    (records,) = gateway.usage(CLAIMING)
    assert len(records) == 1


def test_a_second_process_is_refused_on_sqlite_only(gateway):
    if gateway.is_postgresql:
        assert len(gateway.processes) == 2
    else:
        assert Process(gateway).wait(60) != 0
