"""Which upstreams rest after failures, and whose credential is set aside: one process's memory, which decides.

1. A failure says something about the upstream where the table of meanings gives it a rest.
   What an operator must mend, a rate limit and a Retry-After begin a rest at once; anything
   else does with the third failure in a row.
2. Each failure behind a rest doubles it: up to ten minutes for what an operator must mend,
   a minute for the rest. A provider that asks for more gets it, up to ten minutes.
3. One success makes the upstream healthy, unless its call had begun before it failed.
4. A credential refused twice in a row is set aside until it changes, or somebody puts it back.
5. A model that the upstream does not know rests that route alone.

What other processes must know waits in ``take_changes``; ``routing/sharing.py`` carries it.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from routing.dialects.faults import UpstreamFault
from routing.dialects.meanings import POLICIES, Fault, Meaning

FAILURES = 3
REFUSALS = 2
LONGEST_REST_SECONDS = 60.0
LONGEST_OPERATOR_REST_SECONDS = 600.0
LONGEST_ASKED_REST_SECONDS = 600.0
ALARM_PAUSE_SECONDS = 60.0

Place = tuple[str, str]
"""What stands well or rests: an upstream's slug, and the id of one of its models or '' for all of it."""


class HasCredential(Protocol):
    """What health reads of an upstream."""

    @property
    def slug(self) -> str: ...
    @property
    def credential(self) -> bytes | memoryview | None: ...
    @property
    def credential_env(self) -> str: ...


class HasUpstream(Protocol):
    """What health reads of a route."""

    @property
    def upstream(self) -> HasCredential: ...
    @property
    def upstream_model(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How an upstream or a route stands, as processes tell each other. ``rest_seconds`` are left of its rest.

    ``refused_credential`` is the mark of the credential that was refused last.
    """

    failures: int = 0
    reason: str = ""
    rest_seconds: float = 0.0
    refused: int = 0
    refused_credential: str = ""
    is_set_aside: bool = False

    def failed(self, fault: UpstreamFault, credential: str) -> "Standing":
        """Return the standing after one more failure; ``credential`` is the mark of the one that was sent."""
        failures = self.failures + 1
        refused, mark = self.refused, self.refused_credential
        if fault.reason == Meaning.BAD_CREDENTIAL:
            refused = refused + 1 if mark == credential else 1
            mark = credential
        return Standing(
            failures=failures,
            reason=fault.reason[:40],
            rest_seconds=max(self.rest_seconds, _rest(fault, failures)),
            refused=refused,
            refused_credential=mark,
            is_set_aside=refused >= REFUSALS and bool(mark),
        )


def _rest(fault: UpstreamFault, failures: int) -> float:
    """Return how long an upstream rests that failed so often in a row, 0 for not yet."""
    is_operators = _fault_of(fault) == Fault.OPERATOR
    patience = 1 if is_operators or fault.reason == Meaning.RATE_LIMITED else FAILURES
    if failures < patience and not fault.retry_after:
        return 0.0
    grown = fault.rest_seconds * 2.0 ** min(max(0, failures - patience), 10)
    longest = LONGEST_OPERATOR_REST_SECONDS if is_operators else LONGEST_REST_SECONDS
    return max(min(grown, longest), min(fault.retry_after or 0, LONGEST_ASKED_REST_SECONDS))


def _fault_of(fault: UpstreamFault) -> Fault:
    return POLICIES[Meaning(fault.reason)].fault if fault.reason in Meaning else Fault.PROVIDER


def mark_credential(upstream: HasCredential) -> str:
    """Return a mark by which a credential is known again; '' where there is none."""
    named = os.environ.get(upstream.credential_env, "").strip() if upstream.credential_env else ""
    secret = named.encode() if named else bytes(upstream.credential or b"")
    return hmac.new(settings.SECRET_KEY.encode(), secret, hashlib.sha256).hexdigest()[:32] if secret else ""


@dataclass(slots=True)
class _State:
    standing: Standing
    rests_until: float
    changed_at: float
    """What began before this says nothing about the upstream since."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What an administrator must know: an upstream, why, and whether its credential was set aside with it."""

    upstream: str
    reason: str
    is_set_aside: bool = False


class Health:
    """Times are of ``clock``, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._states: dict[Place, _State] = {}
        self._changed: set[Place] = set()
        self._alarms: list[Alarm] = []
        self._raised_at: dict[Alarm, float] = {}

    # --- what selection asks ----------------------------------------------------

    def reason_against(self, route: HasUpstream) -> str:
        """Return why a route must not be tried now: ``cooldown``, ``credential_set_aside`` or ''."""
        if not self._states:
            return ""
        alone = self._states.get(route_place(route))
        if alone and alone.rests_until > self.clock():
            return "cooldown"
        state = self._states.get(upstream_place(route.upstream))
        if state is None:
            return ""
        refused = state.standing.refused_credential
        if refused and refused != mark_credential(route.upstream):  # a new credential begins anew
            self._set(upstream_place(route.upstream), Standing())
            return ""
        if state.standing.is_set_aside:
            return "credential_set_aside"
        return "cooldown" if state.rests_until > self.clock() else ""

    def rest_left(self, route: HasUpstream) -> float:
        """Return for how many seconds a route still rests, by itself or with its upstream."""
        states = [self._states.get(place) for place in (route_place(route), upstream_place(route.upstream))]
        return max([0.0, *(state.rests_until - self.clock() for state in states if state)])

    # --- what journeys tell -----------------------------------------------------

    def note_success(self, route: HasUpstream, *, began_at: float) -> None:
        """Make an upstream and its route healthy; ``began_at`` is when the call that went well began."""
        if not self._states:
            return
        for place in (route_place(route), upstream_place(route.upstream)):
            state = self._states.get(place)
            if state and began_at >= state.changed_at:
                self._set(place, Standing())

    def note_fault(self, route: HasUpstream, fault: UpstreamFault, *, began_at: float) -> None:
        """Count what a failed call says about its upstream; nothing where the request was at fault."""
        upstream = route.upstream
        is_news = True
        if fault.cools_down:
            place = route_place(route) if fault.rests_route else upstream_place(upstream)
            is_news = self._count(place, upstream, fault, began_at)
        if fault.tells_admin and is_news:
            state = self._states.get(upstream_place(upstream))
            self._raise(Alarm(upstream.slug, fault.reason, bool(state and state.standing.is_set_aside)))

    def _raise(self, alarm: Alarm) -> None:
        """Raise an alarm unless the same was raised a moment ago."""
        now = self.clock()
        if now - self._raised_at.get(alarm, -ALARM_PAUSE_SECONDS) >= ALARM_PAUSE_SECONDS:
            self._raised_at[alarm] = now
            self._alarms.append(alarm)

    def _count(self, place: Place, upstream: HasCredential, fault: UpstreamFault, began_at: float) -> bool:
        state, now = self._states.get(place), self.clock()
        if state and state.rests_until > now and began_at < state.changed_at:
            return False  # one of many calls that ran when the first of them failed
        before = self._standing(state, now)
        self._set(place, before.failed(fault, mark_credential(upstream)))
        return True

    def _set(self, place: Place, standing: Standing) -> None:
        now, before = self.clock(), self._states.get(place)
        was_shared = before is not None and _matters(before.standing, before.rests_until)
        if standing == Standing():
            self._states.pop(place, None)
        else:
            rests_until = now + standing.rest_seconds if standing.rest_seconds else 0.0
            self._states[place] = _State(standing, rests_until, now)
        if was_shared or standing.rest_seconds or standing.refused:
            self._changed.add(place)

    @staticmethod
    def _standing(state: _State | None, now: float) -> Standing:
        """Return a standing whose rest is counted from now."""
        if state is None:
            return Standing()
        known = state.standing
        return Standing(
            known.failures,
            known.reason,
            max(0.0, state.rests_until - now),
            known.refused,
            known.refused_credential,
            known.is_set_aside,
        )

    # --- what processes tell each other -------------------------------------------

    def take_changes(self) -> dict[Place, Standing]:
        """Return place → its standing, of those that others must hear of."""
        places, self._changed = self._changed, set()
        return {place: self._standing(self._states.get(place), self.clock()) for place in places}

    def give_back(self, places: set[Place]) -> None:
        """Take changes back that could not be told: they are told later."""
        self._changed |= places

    def take_alarms(self) -> list[Alarm]:
        alarms, self._alarms = self._alarms, []
        return alarms

    def take_over(self, place: Place, standing: Standing) -> None:
        """Believe what another process or a person said of a place, unless we have something newer to say."""
        if place in self._changed:
            return
        if standing == Standing():
            self._states.pop(place, None)
            return
        now = self.clock()
        self._states[place] = _State(standing, now + standing.rest_seconds if standing.rest_seconds else 0.0, now)


def _matters(standing: Standing, rests_until: float) -> bool:
    return bool(rests_until or standing.refused)


def upstream_place(upstream: HasCredential) -> Place:
    return upstream.slug, ""


def route_place(route: HasUpstream) -> Place:
    return route.upstream.slug, route.upstream_model
