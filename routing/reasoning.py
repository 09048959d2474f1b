"""What a model thought before it called a tool, kept for an hour: providers want it back with the tool's result.

Most clients lose it. It is found again by the id of the tool call, within the organization
that it was thought for. It lies in the memory of the process and, where there is a Redis,
encrypted there too, since the next turn may reach another process.
"""

import hashlib
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from routing import cipher

KEPT_SECONDS = 3600
MAX_BYTES = 32 * 1024 * 1024
MAX_TEXT = 512 * 1024
ENTRY_BYTES = 400
"""What an entry costs beside its text: a short one would else cost more than it counts."""
REDIS_SECONDS = 0.5

logger = logging.getLogger(__name__)


class ReasoningMemory:
    """Tool call id → reasoning, for one process; ``redis_url`` empty: for this process alone."""

    def __init__(self, redis_url: str = "") -> None:
        self._texts: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._size = 0
        self._redis: Redis | None = None
        if redis_url:
            self._redis = Redis.from_url(redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)

    async def remember(self, organization_id: int, call_ids: Iterable[str], text: str) -> None:
        """Keep the reasoning before these calls."""
        names = [_name(organization_id, id_) for id_ in call_ids]
        if not names or not text or len(text) > MAX_TEXT:
            return
        for name in names:
            self._store(name, text)
        if self._redis:
            sealed = cipher.encrypt(text.encode("utf-8", "replace"))
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for name in names:
                        pipe.set(name, sealed, ex=KEPT_SECONDS)
                    await pipe.execute()
            except (RedisError, OSError) as error:
                logger.warning("reasoning is remembered by this process alone: %s", type(error).__name__)

    async def recall(self, organization_id: int, call_ids: Iterable[str]) -> dict[str, str]:
        """Return call id → reasoning of those that are remembered."""
        names = {id_: _name(organization_id, id_) for id_ in call_ids}
        found = {id_: text for id_, name in names.items() if (text := self._find(name))}
        missing = [id_ for id_ in names if id_ not in found]
        if missing and self._redis:
            found |= await self._ask_redis(missing, names)
        return found

    async def _ask_redis(self, missing: list[str], names: dict[str, str]) -> dict[str, str]:
        assert self._redis
        try:
            replies: list[Any] = await self._redis.mget([names[id_] for id_ in missing])
            return {
                id_: cipher.decrypt(sealed).decode() for id_, sealed in zip(missing, replies, strict=True) if sealed
            }
        except (RedisError, OSError, cipher.InvalidToken) as error:
            logger.warning("reasoning can't be recalled: %s", type(error).__name__)
            return {}

    def _store(self, name: str, text: str) -> None:
        self._drop(name)
        now = time.monotonic()
        self._texts[name] = (now + KEPT_SECONDS, text)
        self._size += _weigh(text)
        # The first is the oldest, whose hour ends first.
        while self._size > MAX_BYTES or (self._texts and next(iter(self._texts.values()))[0] < now):
            self._drop(next(iter(self._texts)))

    def _find(self, name: str) -> str:
        expires_at, text = self._texts.get(name, (0.0, ""))
        if text and expires_at < time.monotonic():
            self._drop(name)
            return ""
        return text

    def _drop(self, name: str) -> None:
        if kept := self._texts.pop(name, None):
            self._size -= _weigh(kept[1])

    async def close(self) -> None:
        if self._redis:
            await self._redis.aclose()


def _weigh(text: str) -> int:
    return ENTRY_BYTES + sys.getsizeof(text)


def _name(organization_id: int, call_id: str) -> str:
    digest = hashlib.sha256(f"{organization_id}:{call_id}".encode("utf-8", "replace")).hexdigest()
    return f"reasoning:{digest}"
