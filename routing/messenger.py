"""Carries health between one process's memory and the others: told within a quarter of a second, read within a half.

Nothing here is waited for by a request, and a database that is away changes nothing:
the changes wait, and memory goes on deciding.
"""

import time
from datetime import datetime

from accounts.reader import Reader
from routing import sharing
from routing.health import Alarm, Health, Place, Standing
from routing.notices import warn_admin
from routing.sharing import News

PAUSE_SECONDS = 1.0
"""An upstream or a route is written at most so often by a process."""


class Messenger:
    def __init__(self, health: Health, reader: Reader) -> None:
        self._health = health
        self._reader = reader
        self._known: dict[Place, datetime] = {}
        self._told_at: dict[Place, float] = {}

    async def tell(self) -> None:
        """Write what has changed, and raise the alarms. Raises DatabaseError; the changes then wait."""
        if alarms := self._health.take_alarms():
            await self._reader.run(_raise_alarms, alarms)
        if ready := self._take_ready():
            try:
                await self._reader.run(sharing.write_standings, ready)
            except BaseException:
                self._health.give_back(set(ready))
                raise

    def _take_ready(self) -> dict[Place, Standing]:
        """Return the changes of what was not written a moment ago; the others wait."""
        changes, now = self._health.take_changes(), time.monotonic()
        early = {place for place in changes if now - self._told_at.get(place, -PAUSE_SECONDS) < PAUSE_SECONDS}
        self._health.give_back(early)
        ready = {place: standing for place, standing in changes.items() if place not in early}
        self._told_at.update(dict.fromkeys(ready, now))
        return ready

    def hear(self, news: dict[Place, News]) -> None:
        """Take over what others have written since the last time."""
        for place, one in news.items():
            if self._known.get(place) != one.changed_at:
                self._health.take_over(place, one.standing)
        self._known = {place: one.changed_at for place, one in news.items()}


def _raise_alarms(alarms: list[Alarm]) -> None:
    for one in alarms:
        warn_admin(one)
