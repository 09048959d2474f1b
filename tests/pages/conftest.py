import pytest
from django.test import Client

from accounts import people
from routing.catalog.loader import load_catalog


@pytest.fixture
def catalogue(db, settings):
    """The families as a fresh site has them: the demo answers for each."""
    settings.DEMO = True
    load_catalog()


@pytest.fixture
def alice(db):
    """A developer's browser, signed in."""
    client = Client()
    client.force_login(people.ensure_member(email="alice@example.com")[0].user)
    return client
