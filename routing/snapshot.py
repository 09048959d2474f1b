"""What the gateway routes by: an immutable picture of models, aliases, prices and pools.

Made anew when the version of the tables behind it moves (see accounts/versions.py).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q
from django.utils import timezone

from billing import costs, pricing
from billing.costs import CostRecord
from billing.requests import PriceRecord
from routing.dialects.parameters import Rule
from routing.models import Alias, Model, Route, Upstream


@dataclass(frozen=True, slots=True)
class UpstreamRecord:
    """One address and how to speak to it. The credential is read when it is used."""

    slug: str
    provider: str
    base_url: str
    dialect: str
    proxy: str = field(repr=False)  # it may hold a password
    bills_after_abort: bool
    parameter_rules: Mapping[str, Rule]
    credential: bytes | None = field(repr=False)
    credential_env: str
    is_demo: bool = False
    max_parallel: int | None = None
    first_byte_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """An upstream in a pool; what it can carry is the model's figure where it names none."""

    upstream: UpstreamRecord
    upstream_model: str
    priority: int
    weight: int
    context_length: int
    max_output_tokens: int
    tools: bool
    images: bool
    json_mode: bool
    json_schema: bool
    cost: CostRecord | None = None

    @property
    def label(self) -> str:
        return f"{self.upstream.provider} · {self.upstream.slug} · {self.upstream_model}"


NEAR = 0.65
"""How much alike names must be to propose one: gpt-4o is no 360gpt-pro."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model, its price and the enabled routes of its pool; no routes: not served."""

    slug: str
    family: str
    name: str
    company: str
    context_length: int
    max_output_tokens: int
    default_output_tokens: int
    thinks: bool
    tokens_per_byte_bound: float
    price: PriceRecord
    routes: tuple[RouteRecord, ...]
    created: int

    @property
    def is_served(self) -> bool:
        return bool(self.routes)


@dataclass(frozen=True, slots=True)
class Snapshot:
    models: dict[str, ModelRecord]
    aliases: dict[str, str]
    ends_at: datetime | None = None
    """When a price or a rate of exchange comes into force that this picture does not show."""

    @property
    def is_over(self) -> bool:
        return self.ends_at is not None and timezone.now() >= self.ends_at

    def find(self, name: str) -> ModelRecord | None:
        """Return the model of this id or alias, upper and lower case alike."""
        model = self.models.get(name)
        if model:
            return model
        lowered = name.lower()
        return self.models.get(self.aliases.get(lowered, lowered))

    def nearest(self, name: str) -> str | None:
        """Return the id or alias of a served model that the client may have meant.

        The longest that begins a part of the name counts: in ``vendor/model:tag`` the model is the second.
        """
        names = [known for known in (*self.models, *self.aliases) if self._is_served(known)]
        lowered = name.lower()[:100]
        parts = lowered.split("/")
        if begins := [known for known in names if any(part.startswith(known) for part in parts)]:
            return max(begins, key=len)
        close = difflib.get_close_matches(parts[-1], names, n=1, cutoff=NEAR)
        return close[0] if close else None

    def _is_served(self, name: str) -> bool:
        model = self.find(name)
        return model is not None and model.is_served


DEMO_UPSTREAM = UpstreamRecord(
    slug="demo",
    provider="demo",
    base_url="",  # known only when a request arrives: this very server
    dialect="openai",
    proxy="",
    bills_after_abort=False,
    parameter_rules={},
    credential=None,
    credential_env="",
    is_demo=True,
)


def load_snapshot() -> Snapshot:
    """Read the whole picture. Models without a price are left out: they can't be charged."""
    ends_at = _next_change()  # first: a price that begins meanwhile is then read once too often, not never
    prices, rates = pricing.current_prices(), costs.current_rates()
    routes = Route.objects.select_related("upstream__provider")
    models = Model.objects.select_related("family", "pool").prefetch_related(Prefetch("pool__routes", routes))
    return Snapshot(
        models={
            model.slug: _model_record(model, prices[model.slug], rates) for model in models if model.slug in prices
        },
        aliases={alias.name.lower(): alias.model.slug for alias in Alias.objects.select_related("model")},
        ends_at=ends_at,
    )


def _next_change() -> datetime | None:
    return min((at for at in (pricing.next_change(), costs.next_change()) if at), default=None)


def _model_record(model: Model, price: Any, rates: dict[str, int]) -> ModelRecord:
    return ModelRecord(
        slug=model.slug,
        family=model.family.slug,
        name=model.family.name,
        company=model.family.company,
        context_length=model.context_length,
        max_output_tokens=model.max_output_tokens,
        default_output_tokens=min(model.default_output_tokens, model.max_output_tokens),
        thinks=model.thinks,
        tokens_per_byte_bound=model.tokens_per_byte_bound,
        price=PriceRecord(price.pk, (price.input_micros, price.cached_micros, price.output_micros)),
        routes=_route_records(model, rates),
        created=int(price.starts_at.timestamp()),
    )


def _route_records(model: Model, rates: dict[str, int]) -> tuple[RouteRecord, ...]:
    routes = list(model.pool.routes.all()) if hasattr(model, "pool") else []
    if not routes and settings.DEMO and hasattr(model, "pool"):
        return (_demo_route(model),)
    return tuple(_route_record(model, route, rates) for route in routes if route.enabled)


def _route_record(model: Model, route: Route, rates: dict[str, int]) -> RouteRecord:
    return RouteRecord(
        upstream=describe_upstream(route.upstream),
        upstream_model=route.upstream_model,
        priority=route.priority,
        weight=route.weight,
        context_length=route.context_length or model.context_length,
        max_output_tokens=route.max_output_tokens or model.max_output_tokens,
        tools=route.tools,
        images=route.images,
        json_mode=route.json_mode,
        json_schema=route.json_schema,
        cost=_cost_record(route, rates),
    )


def describe_route(route: Route) -> RouteRecord:
    """Return what the gateway would need of a route's row, enabled or not; its cost is left out."""
    return _route_record(route.pool.model, route, {})


def describe_upstream(upstream: Upstream) -> UpstreamRecord:
    """Return what the gateway needs of an upstream's row, stored or not."""
    return UpstreamRecord(
        slug=upstream.slug,
        provider=upstream.provider.slug,
        base_url=upstream.base_url.rstrip("/"),
        dialect=upstream.dialect,
        proxy=upstream.proxy,
        bills_after_abort=upstream.bills_after_abort,
        parameter_rules=upstream.parameter_rules,
        credential=bytes(upstream.credential) if upstream.credential else None,
        credential_env=upstream.credential_env,
        max_parallel=upstream.max_parallel,
        first_byte_seconds=upstream.first_byte_seconds,
    )


def _cost_record(route: Route, rates: dict[str, int]) -> CostRecord | None:
    """Return what the provider asks; None where nobody has said so."""
    into, cached, out = route.cost_input_micros, route.cost_cached_micros, route.cost_output_micros
    if into is None or out is None:
        return None
    micros = (into, into if cached is None else cached, out)
    return CostRecord(route.cost_currency, micros, rates.get(route.cost_currency))


def _demo_route(model: Model) -> RouteRecord:
    return RouteRecord(
        upstream=DEMO_UPSTREAM,
        upstream_model=model.slug,
        priority=1,
        weight=1,
        context_length=model.context_length,
        max_output_tokens=model.max_output_tokens,
        tools=True,
        images=True,
        json_mode=True,
        json_schema=True,
    )


def served_models() -> set[str]:
    """Return the slugs of the models that this site serves.

    A pool serves when it has an enabled route, or, where the demo is on, when
    it has no route at all.
    """
    served = Q(pool__routes__enabled=True)
    if settings.DEMO:
        served |= Q(pool__routes=None)
    return set(Model.objects.filter(served, pool__isnull=False).values_list("slug", flat=True))
