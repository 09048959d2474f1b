"""Which route is tried next, and which of several failures is told in the end.

Every candidate once; then the last one a second time, where what happened allows it, no
other route is left and its upstream does not rest. Nothing behind the first content.
"""

from random import Random

from routing.dialects.base import Meaning, UpstreamFault
from routing.errors import ERRORS
from routing.health import Health
from routing.snapshot import RouteRecord

PAUSE_SECONDS = (0.2, 0.5)
"""Before the same upstream is called once more; drawn between these, so that calls don't come back in step."""


class Failover:
    """The way of one journey through its candidates. ``pause`` is waited before the route that came last."""

    def __init__(self, candidates: list[RouteRecord], *, health: Health, chooser: Random) -> None:
        self._waiting = list(candidates)
        self._health = health
        self._chooser = chooser
        self._too_small = 0
        self.fault = UpstreamFault("no_healthy_route", "no_route")
        self.pause = 0.0

    @property
    def has_next(self) -> bool:
        """Tell whether there is a route to go to if the current one fails."""
        return bool(self._waiting) and any(route.context_length > self._too_small for route in self._waiting)

    @property
    def is_retry(self) -> bool:
        return self.pause > 0

    def next_route(self) -> RouteRecord | None:
        """Return the route to try now, None where there is none left."""
        while self._waiting:
            route = self._waiting.pop(0)
            if route.context_length > self._too_small:
                return route
        return None

    def note_fault(self, route: RouteRecord, fault: UpstreamFault, *, has_content: bool) -> None:
        """Decide what follows from a failure."""
        may_retry = fault.may_retry and not self.is_retry and not fault.retry_after
        self.pause = 0.0
        self.fault = _choose(self.fault, fault)
        if has_content:
            self.fault = fault
        if has_content or not fault.may_fail_over:
            self._waiting.clear()
            return
        if fault.reason == Meaning.CONTEXT_TOO_LONG:
            self._too_small = max(self._too_small, route.context_length)
        if may_retry and not self.has_next and not self._health.reason_against(route):
            self._waiting = [route]
            self.pause = self._chooser.uniform(*PAUSE_SECONDS)


def _choose(before: UpstreamFault, now: UpstreamFault) -> UpstreamFault:
    """Return the more useful of two failures: what the client can mend, else the later."""
    return before if _is_clients(before) and not _is_clients(now) else now


def _is_clients(fault: UpstreamFault) -> bool:
    return ERRORS[fault.code].status < 429
