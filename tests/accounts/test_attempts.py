"""How often a form may be sent: by a person, from an address, and while Redis is away."""

import pytest

from accounts import attempts
from accounts.models import User

LIMIT = attempts.AttemptLimit("test", per_user=2, per_address=3)


@pytest.fixture(autouse=True)
def no_attempts(db):
    attempts.forget_attempts()


def count(name, address, limit=LIMIT):
    user = User.objects.get_or_create(email=f"{name}@example.com")[0]
    return attempts.count_attempt(limit, user=user, address=address)


def test_a_person_has_so_many_tries_from_wherever_they_come():
    assert [count("ann", f"192.0.2.{number}") for number in range(3)] == [True, True, False]
    assert count("bob", "192.0.2.9")


def test_an_address_has_so_many_tries_whoever_comes_from_it():
    assert [count(name, "192.0.2.1") for name in ("ann", "bob", "cy", "dan")] == [True, True, True, False]


def test_each_form_is_counted_by_itself():
    assert [count("ann", "192.0.2.1") for _ in range(3)][-1] is False
    assert count("ann", "192.0.2.1", attempts.AttemptLimit("other", per_user=2, per_address=3))


def test_while_redis_is_away_each_process_counts(settings, caplog):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert [count("ann", "192.0.2.1") for _ in range(3)] == [True, True, False]
    assert "Redis does not answer" in caplog.text
