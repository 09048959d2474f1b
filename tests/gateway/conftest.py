"""A real gateway over a real socket, a provider that misbehaves on request, and people with money.

One server a module. The data of a test belong to an organization of its own; after each
test no hold may be open and the books must be right.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from redis import Redis

from accounts import keys, people, versions
from accounts.keys import Secret
from accounts.models import APIKey, Membership
from billing import ledger
from billing.models import Hold, Limit
from billing.money import NANOS
from billing.proof import check_books
from routing import pools, runtime
from routing.catalog.loader import load_catalog
from routing.models import Pool, Route, Upstream
from tests.gateway.callers import Caller, Visitor, eventually
from tests.gateway.server import Server
from tests.upstream import Upstream as UpstreamServer

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def upstream_server() -> Iterator[UpstreamServer]:
    server = UpstreamServer()
    yield server
    server.stop()


@pytest.fixture
def upstream(upstream_server: UpstreamServer) -> Iterator[UpstreamServer]:
    """The provider: look at ``requests``; ``open_gate()`` lets those go on that wait."""
    upstream_server.reset()
    yield upstream_server
    upstream_server.open_gate()


@pytest.fixture(scope="module")
def database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database that the gateway's threads see too; emptied when the module's tests are done."""
    with django_db_blocker.unblock():
        load_catalog()
        yield
        _empty_database()


def _empty_database() -> None:
    if connection.vendor == "sqlite":  # whose flush deletes row by row, which the ledger refuses
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS billing_ledgerentry_no_delete")
    call_command("flush", interactive=False, verbosity=0)  # its post_migrate makes the triggers again
    connection.close()
    if settings.REDIS_URL:  # which counts by ids that now begin anew
        with Redis.from_url(settings.REDIS_URL) as redis:
            redis.flushdb()


@pytest.fixture(scope="module")
def gateway_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"DATA_DIR": tmp_path_factory.mktemp("data"), "ALLOW_PRIVATE_UPSTREAMS": True, "DEMO": True}


@pytest.fixture(scope="module")
def gateway(database: None, gateway_settings: dict[str, Any]) -> Iterator[Server]:
    """The running gateway; polls and ticks come faster than in production, so that tests wait less."""
    from smartoken.asgi import application

    server = Server(application)
    with pytest.MonkeyPatch.context() as patch, override_settings(**gateway_settings):
        patch.setattr(versions, "POLL_SECONDS", 0.02)
        patch.setattr(runtime, "TICK_SECONDS", 0.05)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def http_client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def transactional_db(gateway: Server) -> None:
    """In this folder: the database of the running gateway, emptied behind the module instead of each test."""


@pytest.fixture(autouse=True)
def books_are_right(transactional_db: None) -> Iterator[None]:
    """After each test: every hold ended within ten seconds, and the books hold."""
    yield
    Route.objects.all().delete()  # upstreams stay: what is known of one's health must not be the next one's
    in_force()
    eventually(lambda: not Hold.objects.filter(state=Hold.State.OPEN).exists(), 10)
    assert check_books().differences == {}


def in_force() -> None:
    """Wait until the gateway has seen every change."""
    found = runtime.get_runtime()
    assert found
    eventually(lambda: found.watch.values == versions.read_versions())


@pytest.fixture
def member(gateway: Server) -> Membership:
    """Somebody with an organization and an empty wallet."""
    return people.ensure_member(email=f"{uuid.uuid4().hex}@example.com")[0]


class Wallet:
    """An organization's wallet; amounts in nano-dollars."""

    def __init__(self, member: Membership) -> None:
        self.organization = member.organization

    def grant(self, usd: float) -> None:
        ledger.grant(organization=self.organization, nanos=round(usd * NANOS), actor="test")

    @property
    def row(self) -> Limit:
        return ledger.get_wallet(organization=self.organization)

    @property
    def spent(self) -> int:
        return self.row.spent_nanos

    @property
    def open_holds(self) -> int:
        return Hold.objects.filter(organization=self.organization, state=Hold.State.OPEN).count()


@pytest.fixture
def wallet(member: Membership) -> Wallet:
    """A wallet with ten dollars."""
    made = Wallet(member)
    made.grant(10)
    return made


@pytest.fixture
def make_key(member: Membership) -> Callable[..., tuple[APIKey, Secret]]:
    def make(**fields: Any) -> tuple[APIKey, Secret]:
        return keys.create_key(organization=member.organization, created_by=member.user, **{"name": "test", **fields})

    return make


@pytest.fixture
def make_caller(
    gateway: Server, http_client: httpx.Client, make_key: Callable[..., tuple[APIKey, Secret]]
) -> Callable[..., Caller]:
    """Make a client with a key that has these fields."""
    return lambda **fields: Caller(http_client, gateway.url, make_key(**fields)[1])


@pytest.fixture
def caller(make_caller: Callable[..., Caller], wallet: Wallet) -> Caller:
    """A client with a key and money."""
    return make_caller()


@pytest.fixture
def visitor(gateway: Server, member: Membership, wallet: Wallet) -> Visitor:
    """Somebody with money who is signed in."""
    return Visitor(gateway.url, member.user)


@pytest.fixture
def stranger(gateway: Server, http_client: httpx.Client) -> Caller:
    """A client without a key."""
    return Caller(http_client, gateway.url, "")


@pytest.fixture
def add_route(upstream: UpstreamServer, gateway: Server) -> Callable[..., Route]:
    """Put an upstream that behaves like this into a pool; each has an address of its own."""

    def add(
        behaviour: str = "ok",
        *,
        family: str = "deepseek",
        base_url: str = "",
        bills_after_abort: bool = False,
        **fields: Any,
    ) -> Route:
        numbered = {
            name: fields.pop(name) for name in ("priority", "weight", "dialect", "credential") if name in fields
        }
        address = base_url or f"{upstream.address}/{next(numbers)}"
        route = pools.add_upstream(family=family, base_url=address, upstream_model=behaviour, **numbered)
        if fields:
            Route.objects.filter(pk=route.pk).update(**fields)
        if bills_after_abort:
            Upstream.objects.filter(pk=route.upstream_id).update(bills_after_abort=True)
        in_force()
        return route

    return add


@pytest.fixture
def unserved(gateway: Server) -> Iterator[str]:
    """The id of a model whose pool has only a route that is switched off."""
    pools.add_upstream(family="yi", base_url="https://api.example.com/v1", upstream_model="off")
    Route.objects.filter(pool=Pool.objects.get(model__slug="yi")).update(enabled=False)
    in_force()
    yield "yi"
