"""Why this route: the selection of a request that is only imagined, by the very functions that select."""

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from accounts.keys import PREFIX_LENGTH
from accounts.models import APIKey
from billing.attempts import REASONS
from routing.health import Health
from routing.requests import ChatRequest
from routing.selection import select_routes
from routing.sharing import read_news
from routing.snapshot import ModelRecord, RouteRecord, load_snapshot

DRAWS = 400


@dataclass(frozen=True, slots=True)
class Imagined:
    """A request: ``input_tokens`` as its author would count them, ``output_tokens`` None for no limit."""

    input_tokens: int = 1000
    output_tokens: int | None = None
    tools: bool = False
    images: bool = False
    json: bool = False

    def as_chat(self, model: str) -> ChatRequest:
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": ""}]}
        return ChatRequest(
            body=body,
            model=model,
            stream=True,
            include_usage=False,
            output_limit=self.output_tokens,
            choices=1,
            input_size=self.input_tokens * 4,
            images=int(self.images),
            tools=int(self.tools),
            wants_json=self.json,
        )


@dataclass(frozen=True, slots=True)
class Considered:
    """A route and what would become of it; ``chance`` of being tried first, in per cent."""

    route: RouteRecord
    reason: str
    chance: int | None = None


def explain(*, model: str, imagined: Imagined) -> list[Considered]:
    """Return the routes in the order in which they would be tried, then those that would be passed over, and why."""
    record = load_snapshot().find(model)
    if record is None:
        return []
    chat, health, chooser = imagined.as_chat(model), _read_health(), random.Random(1)  # noqa: S311
    asked: dict[str, Any] = {"likely_input": imagined.input_tokens, "health": health, "chooser": chooser}
    chosen = select_routes(record, chat, **asked)
    first = Counter(
        drawn.candidates[0].label for _ in range(DRAWS) if (drawn := select_routes(record, chat, **asked)).candidates
    )
    ordered = sorted(chosen.candidates, key=lambda route: (route.priority, -route.weight))
    tried = [Considered(route, _explain_place(route, record), _percent(first[route.label])) for route in ordered]
    return tried + [Considered(one.route, REASONS.get(one.reason, one.reason)) for one in chosen.skipped]


def explain_key(*, prefix: str, model: str) -> str:
    """Return whether a key may ask for a model, in a sentence; its money and its rate are not looked at."""
    record, key = load_snapshot().find(model), _find_key(prefix)
    if key is None:
        return f"There is no API key that begins with {prefix[:16]}."
    if key.state != "active":
        return f"{key} is {key.state}: it may ask for nothing."
    if key.organization.closed_at:
        return f"{key} belongs to a closed account: it may ask for nothing."
    if record and key.families and record.family not in key.families:
        return f"{key} may not use this model: only {', '.join(sorted(key.families))}."
    return f"{key} may use this model, if its budgets and its wallet cover the request."


def _find_key(prefix: str) -> APIKey | None:
    keys = APIKey.objects.select_related("organization").order_by("-pk")
    return keys.filter(prefix__startswith=prefix.strip()[:PREFIX_LENGTH]).first() if prefix.strip() else None


def _percent(count: int) -> int:
    return round(100 * count / DRAWS)


def _explain_place(route: RouteRecord, model: ModelRecord) -> str:
    peers = [one for one in model.routes if one.priority == route.priority]
    if len(peers) == 1:
        return f"alone at priority {route.priority}"
    total = sum(one.weight for one in peers)
    return f"priority {route.priority}, weight {route.weight} of {total} among {len(peers)}"


def _read_health() -> Health:
    """Return what the site's processes know together, to be asked like a process's own memory."""
    health = Health()
    for place, news in read_news().items():
        health.take_over(place, news.standing)
    return health
