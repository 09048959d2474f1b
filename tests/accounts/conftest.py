import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts import people
from accounts.models import Membership, User
from routing.catalog.loader import load_catalog


@dataclass
class Visitor:
    """A browser before it has signed in."""

    client: Client = field(default_factory=Client)

    def sign_up(self, email: str, next: str = "") -> str:
        """Send the form of the sign-up page; return the text of the page that follows."""
        data = {"email": email, "password1": "a pass phrase nobody guesses", "next": next}
        return self.client.post("/accounts/signup/", data, follow=True).content.decode()

    def confirm(self, link: str) -> str:
        """Press the button of a confirmation page; return where it led."""
        return self.client.post(link, follow=False).headers["Location"]


@pytest.fixture
def visitor(db: None, settings: Any) -> Visitor:
    """A browser that no rate limit of an earlier test meets; passwords are hashed fast."""
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return Visitor()


@pytest.fixture
def catalogue(db: None) -> None:
    """The families as a fresh site has them: the demo answers for each."""
    load_catalog()


@pytest.fixture
def mailed_link() -> Callable[[], str]:
    """Return the first link of the last mail."""

    def find() -> str:
        found = re.search(r"https?://\S+", str(mail.outbox[-1].body))
        assert found
        return found[0]

    return find


@pytest.fixture
def alice(db: None) -> Membership:
    """The owner of an organization."""
    return people.ensure_member(email="alice@example.com")[0]


@pytest.fixture
def bob(db: None) -> Membership:
    """The owner of another organization."""
    return people.ensure_member(email="bob@example.com")[0]


@pytest.fixture
def carol(alice: Membership) -> Membership:
    """A plain member of Alice's organization."""
    user = User.objects.create_user("carol@example.com")
    return Membership.objects.create(user=user, organization=alice.organization)


@pytest.fixture
def sign_in() -> Callable[[Membership], Client]:
    """Return a browser in which this member is signed in."""

    def make(membership: Membership) -> Client:
        client = Client()
        client.force_login(membership.user)
        return client

    return make
