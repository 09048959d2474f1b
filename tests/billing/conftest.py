"""Wallets, keys and requests for tests of the money."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts import keys, members
from accounts.keys import KeyRecord, build_record
from accounts.models import APIKey, Organization, User
from billing import ledger, pricing, proof, rows
from billing.batcher import Batcher
from billing.holds import Admissions
from billing.models import Limit, UsageRecord
from billing.money import NANOS
from billing.requests import Admission, HoldRequest, PriceRecord
from billing.settlements import Settlement, Tokens
from billing.settles import settle_batch
from tests.billing import adding
from tests.billing.clocks import set_clock


class Clock:
    """The database's clock, where a test sets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = rows.read_clock()
        set_clock(monkeypatch, lambda: self.now)

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock(db: None, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice@example.com")


@pytest.fixture
def make_key(alice: User) -> Callable[..., KeyRecord]:
    """Make an organization with some credit and a key in it; amounts in dollars."""

    def make(*, credit: float = 1.0, zone: str = "UTC", **fields: Any) -> KeyRecord:
        organization = members.create_organization(owner=alice, name="Acme")
        organization.time_zone = zone
        organization.save()
        key, _ = keys.create_key(organization=organization, created_by=alice, name="test", **fields)
        if credit:
            ledger.grant(organization=organization, nanos=int(credit * NANOS), actor="test")
        return build_record(APIKey.objects.select_related("organization").get(pk=key.pk))

    return make


@pytest.fixture
def price(db: None) -> PriceRecord:
    """$1 per 1M input tokens, $2 per 1M output tokens."""
    row = pricing.set_price(model="deepseek", input_micros=1_000_000, cached_micros=500_000, output_micros=2_000_000)
    return PriceRecord(row.pk, (row.input_micros, row.cached_micros, row.output_micros))


@pytest.fixture
def admissions() -> Admissions:
    return Admissions(uuid.uuid4())


@pytest.fixture
def ask(price: PriceRecord) -> Callable[..., HoldRequest]:
    """Make a request for a hold: 1,000 tokens of input and 1,000 of output unless told otherwise."""

    def make(key: KeyRecord, **fields: Any) -> HoldRequest:
        request = {"input_bound": 1000, "output_limit": 1000, "default_output": 16_384} | fields
        return HoldRequest(id=uuid.uuid4(), key=key, model="deepseek", price=price, **request)

    return make


@pytest.fixture
def write(make_key: Callable[..., KeyRecord], price: PriceRecord) -> adding.Write:
    """Write a usage record of one of two organizations' keys, drawn by lot as far as it is not given."""
    return adding.draw_records([make_key(), make_key()], price)


def settle(admission: Admission, tokens: Tokens, **fields: Any) -> Settlement:
    """Return the settlement of a request that completed."""
    ending = {"status": "completed", "http_status": 200, "ended_by": "completed", "count_source": "provider"}
    return Settlement(admission=admission, tokens=tokens, total_ms=5, **(ending | fields))


def wallet_of(key: KeyRecord) -> Limit:
    return Limit.objects.get(kind=Limit.Kind.WALLET, organization=key.organization_id)


@pytest.fixture
def organization(make_key: Callable[..., KeyRecord]) -> Organization:
    """An organization with one dollar."""
    return Organization.objects.get(pk=make_key().organization_id)


@pytest.fixture
def charged(make_key: Callable[..., KeyRecord], admissions: Admissions, ask: Callable[..., HoldRequest]) -> UsageRecord:
    """The record of a request that cost 0.001 of a key's dollar."""
    [admission] = admissions.admit_batch([ask(make_key())])
    assert isinstance(admission, Admission)
    settle_batch([settle(admission, Tokens(input=1000))])
    return UsageRecord.objects.select_related("organization").get(pk=admission.request.id)


def assert_proven() -> None:
    """Check that the books agree with themselves."""
    assert proof.check_books_inside().differences == {}


def run(batcher: Batcher, handler: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
    """Return the results of these items, which the thread finds together and takes as one batch."""
    return run_mixed(batcher, [(handler, item) for item in items])


def run_mixed(batcher: Batcher, jobs: Sequence[tuple[Callable[..., Any], Any]]) -> list[Any]:
    """Return the results of these (handler, item), which the thread finds together and takes as one batch."""

    async def submit() -> list[Any]:
        return await asyncio.gather(*submit_together(batcher, jobs))

    return asyncio.run(submit())


def submit_together(batcher: Batcher, jobs: Sequence[tuple[Callable[..., Any], Any]]) -> list[asyncio.Future[Any]]:
    """Return the futures of these (handler, item), which the thread finds together."""
    is_held, gate = threading.Event(), threading.Event()

    def hold(items: Sequence[Any], **_: Any) -> Sequence[Any]:
        is_held.set()
        gate.wait(10)
        return items

    batcher.submit(hold, None)
    is_held.wait(10)
    futures = [batcher.submit(handler, item) for handler, item in jobs]
    gate.set()
    return futures
