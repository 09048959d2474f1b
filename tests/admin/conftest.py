import pytest
from django.test import Client

from accounts import keys, people
from accounts.models import User
from billing import ledger
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
