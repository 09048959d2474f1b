"""Rate limits of `/v1`: requests per minute of a key, and wrong keys per client address.

Fixed windows of a minute that begin with the first request; refused requests count too,
and the same count decides and fills the headers. With REDIS_URL the processes of a site
share the counts of keys: what waits goes in one pipelined call, without a timer, while the
call before is under way. When Redis is away each process counts by itself.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from redis.asyncio import Redis
from redis.exceptions import RedisError

from accounts.keys import KeyRecord

GUESSES = RateLimitItemPerMinute(100)
REDIS_SECONDS = 0.5
REST_SECONDS = 5.0
"""How long Redis is left alone after it failed, so that no request waits for it meanwhile."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RateState:
    """Where a key stands in its minute; ``reset_seconds`` until the next one begins."""

    limit: int
    remaining: int
    reset_seconds: float
    is_allowed: bool


def _state(item: RateLimitItem, count: int, reset_seconds: float) -> RateState:
    return RateState(item.amount, max(0, item.amount - count), max(0.0, reset_seconds), count <= item.amount)


class LocalWindows:
    """Counts of this process."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()

    def hit(self, item: RateLimitItem, name: str) -> RateState:
        key = item.key_for(name)
        count = self._storage.incr(key, item.get_expiry())
        return _state(item, count, self._storage.get_expiry(key) - time.time())

    def is_full(self, item: RateLimitItem, name: str) -> bool:
        return self._storage.get(item.key_for(name)) >= item.amount


class SharedWindows:
    """The same counts in Redis, asked for in batches."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[tuple[RateLimitItem, str, asyncio.Future[RateState]]] = []
        self._caller: asyncio.Task[None] | None = None

    async def hit(self, item: RateLimitItem, name: str) -> RateState:
        """Count one request. Raises RedisError, or OSError where there is no connection."""
        future: asyncio.Future[RateState] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, name, future))
        if self._caller is None or self._caller.done():
            self._caller = asyncio.create_task(self._call_while_any_wait())
        return await future

    async def _call_while_any_wait(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                replies = await self._count([(item, item.key_for(name)) for item, name, _ in batch])
            except (RedisError, OSError) as error:
                _answer(batch, [error] * len(batch))
            else:
                _answer(batch, [_state(item, *reply) for (item, _, _), reply in zip(batch, replies, strict=True)])

    async def _count(self, keys: list[tuple[RateLimitItem, str]]) -> list[tuple[int, float]]:
        """Return, for each key, its count and the seconds until it begins anew."""
        # In one transaction, so that no window ends between making it and counting in it.
        async with self._redis.pipeline(transaction=True) as pipe:
            for item, key in keys:
                pipe.set(key, 0, ex=item.get_expiry(), nx=True)
                pipe.incr(key)
                pipe.pttl(key)
            replies = await pipe.execute()
        return [(count, left / 1000) for count, left in zip(replies[1::3], replies[2::3], strict=True)]

    async def close(self) -> None:
        await self._redis.aclose()


def _answer(
    batch: list[tuple[RateLimitItem, str, asyncio.Future[RateState]]], results: list[RateState | Exception]
) -> None:
    for (_, _, future), result in zip(batch, results, strict=True):
        if future.done():
            continue  # the client left
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


class RateLimiter:
    """Decides for one gateway process; ``redis_url`` empty: all by itself."""

    def __init__(self, redis_url: str = "") -> None:
        self._local = LocalWindows()
        self._shared: SharedWindows | None = None
        self._shared_from = 0.0
        if redis_url:
            redis = Redis.from_url(redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
            self._shared = SharedWindows(redis)

    async def hit(self, key: KeyRecord) -> RateState | None:
        """Count one request; None for a key without a limit."""
        if key.requests_per_minute is None:
            return None
        item = RateLimitItemPerMinute(key.requests_per_minute, namespace="rpm")
        if self._shared and time.monotonic() >= self._shared_from:
            try:
                return await self._shared.hit(item, str(key.id))
            except (RedisError, OSError) as error:
                self._shared_from = time.monotonic() + REST_SECONDS
                logger.warning("rate limits are counted per process: %s", type(error).__name__)
        return self._local.hit(item, str(key.id))

    def note_guess(self, address: str) -> None:
        """Count a wrong key that came from this address."""
        self._local.hit(GUESSES, neighbourhood(address))

    def is_guessing(self, address: str) -> bool:
        """Tell whether this address has sent so many wrong keys that none is looked up for it any more."""
        return self._local.is_full(GUESSES, neighbourhood(address))

    async def close(self) -> None:
        if self._shared:
            await self._shared.close()


def neighbourhood(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network that one IPv6 client has to itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and not parsed.ipv4_mapped:
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
