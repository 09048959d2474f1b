"""Pools of routes: what an operator may put into them, and how."""

import re
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.text import slugify

from accounts import audit
from billing import costs
from routing import credentials
from routing.catalog import load_families
from routing.checks import (
    PoolError,
    check_address,
    check_dialect,
    check_env_name,
    check_model_id,
    check_number,
    choose_dialect,
    default_address,
    find_model,
    host_of,
)
from routing.models import Model, Pool, Provider, Route, Upstream


def add_upstream(
    *,
    family: str,
    upstream_model: str,
    base_url: str | None = None,
    dialect: str = "",
    credential: str = "",
    credential_env: str = "",
    priority: int = 1,
    weight: int = 100,
    provider: str = "",
    actor: str = "addupstream",
) -> Route:
    """Put an upstream into a family's pool; a PoolError says what is wrong, and nothing changed.

    ``family`` is a slug or a model's public id. The same address, dialect and
    credential are one upstream; the same model of it again only gets the new
    priority and weight. ``base_url`` None: the first address of the dialect.
    ``provider`` is a slug or a name; empty: by the host.
    """
    route, _ = put_upstream(
        family=family,
        base_url=base_url,
        upstream_model=upstream_model,
        dialect=dialect,
        credential=credential,
        credential_env=credential_env,
        priority=priority,
        weight=weight,
        provider=provider,
        actor=actor,
    )
    return route


@transaction.atomic
def put_upstream(
    *,
    family: str,
    upstream_model: str,
    actor: str,
    priority: int | None = None,
    weight: int | None = None,
    cost: "RouteCost | None" = None,
    carries: "Carries | None" = None,
    **upstream_fields: Any,
) -> tuple[Route, bool]:
    """Do what ``add_upstream`` does; tell beside the route whether it is a new one.

    ``cost`` is what the provider asks and ``carries`` what fits. None leaves what the route says,
    in a new one priority 1 and weight 100. A dialect that is not named is the one of the address,
    without an address that of the family's own provider.
    """
    model = find_model(family)
    values: dict[str, Any] = {} if priority is None else {"priority": check_number("priority", priority, 1)}
    values |= {} if weight is None else {"weight": check_number("weight", weight, 0)}
    values |= check_cost(cost) if cost else {}
    values |= check_carries(carries) if carries else {}
    pool, _ = ensure_pool(model=model, actor=actor)
    upstream_fields["dialect"] = choose_dialect(
        upstream_fields.get("dialect", ""), base_url=upstream_fields.get("base_url"), family=model.family.slug
    )
    upstream = _find_or_create_upstream(actor=actor, **upstream_fields)
    named: dict[str, Any] = {"pool": pool, "upstream": upstream, "upstream_model": check_model_id(upstream_model)}
    stored = Route.objects.filter(**named).first()
    before = audit.read_stored(stored) if stored else {}
    route, is_new = Route.objects.update_or_create(**named, defaults=values)
    audit.record_changed(route, before=before, actor=actor)
    return route, is_new


@transaction.atomic
def ensure_pool(*, model: Model, actor: str) -> tuple[Pool, bool]:
    """Return the model's pool, and whether it had to be made."""
    pool, is_new = Pool.objects.get_or_create(model=model)
    if is_new:
        audit.record_created(pool, actor=actor)
    return pool, is_new


# --- what a route costs ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class RouteCost:
    """What a provider asks for 1M tokens, in millionths of a unit of its currency; None: not known."""

    input: int | None = None
    cached: int | None = None
    output: int | None = None
    currency: str = ""


def check_cost(cost: RouteCost) -> dict[str, Any]:
    """Return the columns of a route for what its provider asks. Raises PoolError."""
    if (cost.input is None) != (cost.output is None) or (cost.cached is not None and cost.input is None):
        raise PoolError("Give the cost of input and of output, or neither; that of cached input only beside them.")
    if cost.cached is not None and cost.input is not None and cost.cached > cost.input:
        raise PoolError("Cached input can't cost more than input.")
    try:
        currency = costs.check_currency(cost.currency or costs.USD)
    except costs.RateError as error:
        raise PoolError(str(error)) from None
    return {
        "cost_input_micros": cost.input,
        "cost_cached_micros": cost.cached,
        "cost_output_micros": cost.output,
        "cost_currency": currency,
    }


# --- what a route carries --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Carries:
    """What fits into a request to a route; lengths in tokens. None leaves what the route says."""

    context_length: int | None = None
    max_output_tokens: int | None = None
    tools: bool | None = None
    images: bool | None = None
    json_mode: bool | None = None
    json_schema: bool | None = None


def check_carries(carries: Carries) -> dict[str, Any]:
    """Return the columns of a route that are given. Raises PoolError."""
    context, longest = carries.context_length, carries.max_output_tokens
    if context and longest and longest > context:
        raise PoolError("The longest answer can't be longer than the context.")
    return {name: value for name, value in asdict(carries).items() if value is not None}


# --- upstreams and providers -----------------------------------------------


def _find_or_create_upstream(
    *,
    actor: str,
    base_url: str | None = None,
    dialect: str = "openai",
    credential: str = "",
    credential_env: str = "",
    provider: str = "",
) -> Upstream:
    dialect = check_dialect(dialect)
    address = check_address(default_address(dialect).url if base_url is None else base_url)
    env_name, secret = check_env_name(credential_env), ""
    if credential:
        try:
            secret = credentials.check_credential(credential)
        except credentials.CredentialError as error:
            raise PoolError(str(error)) from None
    same = Upstream.objects.filter(base_url=address, dialect=dialect, credential_env=env_name).order_by("pk")
    for upstream in same:
        if _stored_credential(upstream) == secret:
            return upstream
    upstream = Upstream.objects.create(
        slug=_free_slug(urlsplit(address).netloc),
        provider=_find_or_create_provider(provider, address, actor),
        base_url=address,
        dialect=dialect,
        credential=credentials.seal(secret) if secret else None,
        credential_env=env_name,
    )
    audit.record_created(upstream, actor=actor)
    return upstream


def _stored_credential(upstream: Upstream) -> str | None:
    """Return what is stored with the row, nothing when nothing is, None when it can't be read."""
    try:
        return credentials.unseal(upstream.credential) if upstream.credential else ""
    except credentials.CredentialError:
        return None


def _find_or_create_provider(name: str, address: str, actor: str) -> Provider:
    """Return the named provider; without a name, the one that the catalogue or another upstream has at this host."""
    name = name.strip()
    if name:
        slug = slugify(name)[:32]
        if not slug or len(name) > 100:
            raise PoolError("The provider needs a name of letters and digits, in at most 100 characters.")
        known = Provider.objects.filter(slug=slug).first() or Provider.objects.filter(name__iexact=name).first()
        return known or ensure_provider(slug=slug, name=name, actor=actor)[0]
    host = host_of(address)
    for facts in (family.upstream for family in load_families()):
        if host_of(facts.base_url) == host:
            names = {"name": facts.provider_name, "country": facts.country}
            return ensure_provider(slug=facts.provider, **names, actor=actor)[0]
    slug = slugify(host.replace(".", "-"))[:32].strip("-") or "provider"
    return ensure_provider(slug=slug, name=host[:100], actor=actor)[0]


@transaction.atomic
def ensure_provider(*, slug: str, name: str, actor: str, country: str = "") -> tuple[Provider, bool]:
    """Return the provider of this slug, and whether it had to be made."""
    provider, is_new = Provider.objects.get_or_create(slug=slug, defaults={"name": name, "country": country})
    if is_new:
        audit.record_created(provider, actor=actor)
    return provider, is_new


def _free_slug(text: str) -> str:
    """Return a slug that no upstream has yet, at most 64 characters."""
    base = slugify(re.sub(r"[.:]+", "-", text))[:60].strip("-")
    taken = set(Upstream.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    number = 1
    slug = base
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug
