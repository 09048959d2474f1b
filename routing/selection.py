"""Which routes of a pool may answer a request, in which order, and why the others may not."""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Protocol

from routing.errors import MAX_RETRY_AFTER, GatewayError
from routing.requests import ChatRequest
from routing.snapshot import ModelRecord, RouteRecord

UNKNOWN_REST_SECONDS = 5
LONG_REST = "No route to this model is available now, and none will be within a minute."
RESTING = frozenset({"cooldown", "credential_set_aside"})
"""Reasons that pass by themselves, or by the operator's hand: the request is not at fault."""

LACKING = {
    "no_tools": ("tools", "tools"),
    "no_images": ("images", "messages"),
    "no_json_mode": ("JSON mode", "response_format"),
    "answer_too_long": ("so long an answer", "max_tokens"),
    "context_too_long": ("so long a request", "messages"),
}
"""Reasons that lie in the request: what no route takes, and the parameter that asks for it."""


class KnowsHealth(Protocol):
    def reason_against(self, route: RouteRecord) -> str: ...
    def rest_left(self, route: RouteRecord) -> float: ...


@dataclass(frozen=True, slots=True)
class Skipped:
    """A route that was not tried, and why."""

    route: RouteRecord
    reason: str


class Selection(NamedTuple):
    candidates: list[RouteRecord]
    skipped: list[Skipped]

    def explain_none(self, model: ModelRecord, health: KnowsHealth) -> GatewayError:
        """Return the error for a request that has no candidate."""
        reasons = {skipped.reason for skipped in self.skipped}
        if not reasons or reasons & RESTING:
            rests = [health.rest_left(skipped.route) for skipped in self.skipped if skipped.reason == "cooldown"]
            wait = min(rests, default=math.inf if reasons else UNKNOWN_REST_SECONDS)
            if wait > MAX_RETRY_AFTER:  # SDKs would sleep for a minute, twice, before they tell anybody
                return GatewayError("no_healthy_route", LONG_REST, may_retry=False)
            return GatewayError("no_healthy_route", retry_after=math.ceil(wait))
        lacking, params = zip(*(LACKING[reason] for reason in sorted(reasons)), strict=True)
        together = f"{' and '.join(lacking)} together" if len(lacking) > 1 else lacking[0]
        param = params[0] if len(params) == 1 else None
        return GatewayError("invalid_request", f"No route of {model.slug} on this site takes {together}.", param)


def select_routes(
    model: ModelRecord,
    chat: ChatRequest,
    *,
    likely_input: int,
    health: KnowsHealth,
    chooser: random.Random,
) -> Selection:
    """Order the routes that can carry the request: by priority, inside a level by chance and weight.

    Every healthy route of a level comes before the next level. ``likely_input`` is a guess,
    which only chooses between routes: whether the widest takes it, its provider says.
    """
    widest = max((route.context_length for route in model.routes), default=0)
    skipped = []
    fitting = []
    for route in model.routes:
        is_too_short = likely_input > route.context_length and route.context_length < widest
        reason = _misfit(route, chat, is_too_short) or health.reason_against(route)
        if reason:
            skipped.append(Skipped(route, reason))
        else:
            fitting.append(route)
    return Selection(_order(fitting, chooser), skipped)


def _misfit(route: RouteRecord, chat: ChatRequest, is_too_short: bool) -> str:
    """Return what the route lacks for this request, '' if nothing."""
    if chat.tools and not route.tools:
        return "no_tools"
    if chat.images and not route.images:
        return "no_images"
    if chat.wants_json and not route.json_mode:
        return "no_json_mode"
    if chat.output_limit and chat.output_limit > route.max_output_tokens:
        return "answer_too_long"
    return "context_too_long" if is_too_short else ""


def _order(routes: list[RouteRecord], chooser: random.Random) -> list[RouteRecord]:
    if len(routes) < 2:
        return routes
    ordered: list[RouteRecord] = []
    by_priority = sorted(routes, key=lambda route: route.priority)
    for _, level in groupby(by_priority, key=lambda route: route.priority):
        ordered += _shuffle(level, chooser)
    return ordered


def _shuffle(level: Iterable[RouteRecord], chooser: random.Random) -> list[RouteRecord]:
    """Return a level in random order in which the first is chosen in proportion to its weight.

    Each gets the key u^(1/weight) (Efraimidis and Spirakis, 2006); weight 0 goes last.
    """
    keyed = [(chooser.random() ** (1 / route.weight) if route.weight else -chooser.random(), route) for route in level]
    return [route for _, route in sorted(keyed, key=lambda pair: pair[0], reverse=True)]
