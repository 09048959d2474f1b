"""Requests per minute of a key, and wrong keys from one address."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from redis.exceptions import RedisError

from accounts import keys, ratelimit
from accounts.ratelimit import RateLimiter
from routing.runtime import get_runtime


@pytest.fixture
def fresh_rates(gateway) -> Iterator[RateLimiter]:
    """A rate limiter that no other test has counted in."""
    runtime = get_runtime()
    before, runtime.rates = runtime.rates, RateLimiter(settings.REDIS_URL)
    yield runtime.rates
    runtime.rates = before


def test_too_many_requests_a_minute_are_refused(make_caller, wallet, add_route):
    add_route("ok")
    caller = make_caller(requests_per_minute=2)
    assert [caller.chat().status for _ in range(2)] == [200, 200]
    reply = caller.chat()
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    assert reply.error["limit_source"] == "requests_per_minute"
    assert datetime.fromisoformat(reply.error["resets_at"]) > datetime.now(UTC) - timedelta(seconds=1)
    assert reply.headers["x-ratelimit-remaining-requests"] == "0"
    assert reply.headers["x-should-retry"] == "true"
    assert 1 <= int(reply.headers["retry-after"]) <= 60


def test_refused_requests_count_against_the_rate_too(make_caller, member):
    caller = make_caller(requests_per_minute=2)
    assert [caller.chat().status for _ in range(3)] == [402, 402, 429]


def test_the_rate_of_one_key_is_not_anothers(make_caller, wallet, add_route):
    add_route("ok")
    first, second = make_caller(requests_per_minute=1), make_caller(requests_per_minute=1)
    assert [first.chat().status, first.chat().status, second.chat().status] == [200, 429, 200]


def test_refused_requests_fill_no_more_than_the_window(make_caller, wallet, add_route):
    add_route("ok")
    caller = make_caller(requests_per_minute=1)
    replies = [caller.chat() for _ in range(4)]
    assert [reply.headers["x-ratelimit-remaining-requests"] for reply in replies] == ["0"] * 4


def test_whoever_guesses_keys_is_stopped(stranger, caller, fresh_rates):
    assert caller.get("/v1/models").status == 200
    guess = {"authorization": f"Bearer {keys.generate_secret()}"}
    statuses = [stranger.request("GET", "/v1/models", guess).status for _ in range(ratelimit.GUESSES.amount)]
    assert set(statuses) == {401}
    reply = stranger.request("GET", "/v1/models", guess)
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    assert reply.error["limit_source"] == "wrong_keys"
    assert reply.headers["retry-after"] == "60"
    assert caller.get("/v1/models").status == 200  # a known key from the same address goes on


def test_a_key_not_heard_of_for_a_while_goes_on_beside_a_guesser(stranger, caller, fresh_rates, monkeypatch):
    assert caller.get("/v1/models").status == 200
    monkeypatch.setattr(get_runtime().keys, "_is_current", lambda entry: False)
    for _ in range(ratelimit.GUESSES.amount):
        fresh_rates.note_guess("127.0.0.1")
    assert stranger.request("GET", "/v1/models", {"authorization": "Bearer nonsense"}).status == 429
    assert caller.get("/v1/models").status == 200


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "192.0.2.1", False),
    ],
)
def test_an_ipv6_network_counts_as_one_guesser(first, second, is_one):
    rates = RateLimiter()
    for _ in range(ratelimit.GUESSES.amount):
        rates.note_guess(first)
    assert rates.is_guessing(first)
    assert rates.is_guessing(second) == is_one


needs_redis = pytest.mark.skipif("not settings.REDIS_URL", reason="counts are shared through Redis")


@needs_redis
def test_two_processes_share_a_keys_minute(make_key):
    key = keys.build_record(make_key(requests_per_minute=3)[0])

    async def run() -> list[bool]:
        limiters = [RateLimiter(settings.REDIS_URL), RateLimiter(settings.REDIS_URL)]
        states = [await limiters[number % 2].hit(key) for number in range(5)]
        for limiter in limiters:
            await limiter.close()
        return [state.is_allowed for state in states]

    assert asyncio.run(run()) == [True, True, True, False, False]


@needs_redis
def test_what_waits_goes_to_redis_in_one_call(make_key, monkeypatch):
    key = keys.build_record(make_key(requests_per_minute=50)[0])
    sizes = []
    count = ratelimit.SharedWindows._count

    async def spy(self, asked):
        sizes.append(len(asked))
        return await count(self, asked)

    monkeypatch.setattr(ratelimit.SharedWindows, "_count", spy)

    async def run() -> list[bool]:
        limiter = RateLimiter(settings.REDIS_URL)
        states = await asyncio.gather(*[limiter.hit(key) for _ in range(60)])
        await limiter.close()
        return [state.is_allowed for state in states]

    assert sum(asyncio.run(run())) == 50
    assert len(sizes) < 5


def test_a_process_counts_by_itself_while_redis_is_away(make_key, monkeypatch):
    key = keys.build_record(make_key(requests_per_minute=2)[0])

    async def away(self, item, name):
        raise RedisError("gone")

    monkeypatch.setattr(ratelimit.SharedWindows, "hit", away)

    async def run() -> list[bool]:
        limiter = RateLimiter("redis://127.0.0.1:1/0")
        states = [await limiter.hit(key) for _ in range(3)]
        await limiter.close()
        return [state.is_allowed for state in states]

    assert asyncio.run(run()) == [True, True, False]
