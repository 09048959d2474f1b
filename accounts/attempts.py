"""How often a form of the console may be sent: per person and per client address.

With REDIS_URL all processes of a site count together; while Redis is away each counts by itself.
"""

import logging
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from accounts.models import User
from accounts.ratelimit import REDIS_SECONDS, neighbourhood

MINUTES = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """What a person and a client address may send of one form in ten minutes."""

    form: str
    per_user: int
    per_address: int


@cache
def _local() -> Storage:
    return MemoryStorage()


@cache
def _shared(redis_url: str) -> Storage:
    waits = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    storage = storage_from_string(redis_url, wrap_exceptions=True, **waits)
    assert isinstance(storage, Storage)
    return storage


def count_attempt(limit: AttemptLimit, *, user: User, address: str) -> bool:
    """Count one attempt; tell whether it may go on. Refused ones count too."""
    if settings.REDIS_URL:
        try:
            return _count(_shared(settings.REDIS_URL), limit, user, address)
        except StorageError:
            logger.warning("attempts are counted per process: Redis does not answer")
    return _count(_local(), limit, user, address)


def _count(storage: Storage, limit: AttemptLimit, user: User, address: str) -> bool:
    limiter = FixedWindowRateLimiter(storage)
    of_user = RateLimitItemPerMinute(limit.per_user, MINUTES, namespace=f"{limit.form}-user")
    of_address = RateLimitItemPerMinute(limit.per_address, MINUTES, namespace=f"{limit.form}-address")
    hits = [limiter.hit(of_user, str(user.pk)), limiter.hit(of_address, neighbourhood(address))]
    return all(hits)


def forget_attempts() -> None:
    """Begin to count anew."""
    _local().reset()
    if settings.REDIS_URL:
        _shared(settings.REDIS_URL).reset()
