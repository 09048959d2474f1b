import uuid

import pytest
from django.test import Client

from accounts import keys, people
from accounts.keys import build_record
from accounts.models import User
from billing import ledger, pricing
from billing.holds import Admissions
from billing.models import UsageRecord
from billing.requests import HoldRequest, PriceRecord
from billing.settlements import Settlement, Tokens
from billing.settles import settle_batch
from routing.catalog.loader import load_catalog


@pytest.fixture
def catalogue(db):
    load_catalog()


@pytest.fixture
def root(db):
    """The administrator's browser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com"))
    return client


@pytest.fixture
def member(db):
    """A developer with an organization and 25 dollars."""
    membership = people.ensure_member(email="dev@example.com")[0]
    ledger.grant(organization=membership.organization, nanos=25 * 10**9, actor="test")
    return membership


@pytest.fixture
def key(member):
    made, secret = keys.create_key(organization=member.organization, created_by=member.user, name="Build server")
    made.secret = secret
    return made


@pytest.fixture
def record(key):
    """The usage record of a request of this key that cost 0.001 dollars."""
    row = pricing.set_price(model="kimi", input_micros=1_000_000, cached_micros=0, output_micros=0)
    price = PriceRecord(row.pk, (1_000_000, 0, 0))
    request = HoldRequest(uuid.uuid4(), build_record(key), "kimi", price, 1000, 1000, 1000)
    [admission] = Admissions(uuid.uuid4()).admit_batch([request])
    ending = {"status": "completed", "http_status": 200, "ended_by": "completed", "count_source": "provider"}
    settle_batch([Settlement(admission, Tokens(input=1000), total_ms=5, **ending)])
    return UsageRecord.objects.get()
