"""Puts the catalogue into the database, once or a hundred times with the same result.

What the catalogue says of a family is refreshed. A model's limits, prices, providers,
upstreams and routes are only made where they are missing: from then on they are the
operator's. An alias is made where its name leads nowhere. A route from the environment
lives as long as its variable has a value.
"""

import os
from collections.abc import Iterator

from django.db import transaction

from accounts import audit
from accounts.audit import CATALOGUE, ENVIRONMENT
from billing import money, pricing
from billing.models import Price
from routing import checks, pools
from routing.catalog import FamilyFacts, UpstreamFacts, load_families
from routing.models import Alias, Family, Model, Pool, Provider, Route, Upstream

FAMILY_FIELDS = ("name", "company", "reasoning", "coding", "best_for", "position")


@transaction.atomic
def load_catalog() -> list[str]:
    """Bring the database up to the catalogue and the environment; return a line for each change.

    Raises PoolError where a ``…_BASE_URL`` variable holds no usable address.
    """
    return [line for facts in load_families() for line in _load_family(facts)]


def _load_family(facts: FamilyFacts) -> Iterator[str]:
    family = Family.objects.filter(slug=facts.slug).first()
    values = {name: getattr(facts, name) for name in FAMILY_FIELDS}
    if family is None:
        family = Family.objects.create(slug=facts.slug, **values)
        audit.record_created(family, actor=CATALOGUE)
        yield f"family {facts.slug} added"
    elif changed := [name for name, value in values.items() if getattr(family, name) != value]:
        before = audit.read_stored(family)
        Family.objects.filter(pk=family.pk).update(**values)
        audit.record_changed(family, before=before, actor=CATALOGUE)
        yield f"family {facts.slug}: {', '.join(changed)} updated"
    model, is_new = Model.objects.get_or_create(
        slug=facts.model.slug,
        defaults={
            "family": family,
            "context_length": facts.model.context_length,
            "max_output_tokens": facts.model.max_output_tokens,
            "default_output_tokens": facts.model.default_output_tokens,
            "thinks": facts.model.thinks,
        },
    )
    if is_new:
        audit.record_created(model, actor=CATALOGUE)
        yield f"model {model.slug} added"
    yield from _load_aliases(facts, model)
    yield from _load_price(facts)
    yield from _load_routes(facts, model)


def _load_aliases(facts: FamilyFacts, model: Model) -> Iterator[str]:
    for name in facts.model.aliases:
        if Alias.objects.filter(name__iexact=name).exists() or Model.objects.filter(slug=name).exists():
            continue  # an operator lets it lead elsewhere
        audit.record_created(Alias.objects.create(name=name, model=model), actor=CATALOGUE)
        yield f"alias {name} of {model.slug} added"


def _load_price(facts: FamilyFacts) -> Iterator[str]:
    if Price.objects.filter(model=facts.model.slug).exists():
        return
    input_micros = money.parse_price(facts.model.input_usd)
    pricing.set_price(
        model=facts.model.slug,
        actor=CATALOGUE,
        input_micros=input_micros,
        cached_micros=input_micros,  # the list names no price of its own for cached input
        output_micros=money.parse_price(facts.model.output_usd),
    )
    yield f"price of {facts.model.slug}: ${facts.model.input_usd} in, ${facts.model.output_usd} out per 1M tokens"


def _load_routes(facts: FamilyFacts, model: Model) -> Iterator[str]:
    source = facts.upstream
    provider, is_new = pools.ensure_provider(
        slug=source.provider, name=source.provider_name, country=source.country, actor=CATALOGUE
    )
    if is_new:
        yield f"provider {provider.slug} added"
    pool, is_new = pools.ensure_pool(model=model, actor=CATALOGUE)
    if is_new:
        yield f"pool {model.slug} added"
    if os.environ.get(facts.upstream.credential_env, "").strip():
        yield from _add_route(facts, pool, provider)
    else:
        yield from _remove_route(facts, pool)


def _add_route(facts: FamilyFacts, pool: Pool, provider: Provider) -> Iterator[str]:
    """Make the upstream and its route where they are missing; an address set in the environment always counts."""
    source = facts.upstream
    address = _read_address(source)
    upstream, is_new = Upstream.objects.get_or_create(
        slug=_upstream_slug(facts),
        defaults={
            "provider": provider,
            "base_url": address or source.base_url,
            "dialect": source.dialect,
            "credential_env": source.credential_env,
        },
    )
    if is_new:
        audit.record_created(upstream, actor=ENVIRONMENT)
        yield f"upstream {upstream.slug} added: {upstream.base_url}, credential from {source.credential_env}"
    elif address and upstream.base_url != address:
        before = audit.read_stored(upstream)
        Upstream.objects.filter(pk=upstream.pk).update(base_url=address)
        audit.record_changed(upstream, before=before, actor=ENVIRONMENT)
        yield f"upstream {upstream.slug}: address {address} from {source.base_url_env}"
    if not Route.objects.filter(pool=pool, from_environment=True).exists():
        yield from _create_route(source, pool, upstream)


def _create_route(source: UpstreamFacts, pool: Pool, upstream: Upstream) -> Iterator[str]:
    route, is_new = Route.objects.get_or_create(
        pool=pool,
        upstream=upstream,
        upstream_model=source.model,
        defaults={
            "from_environment": True,
            "context_length": source.context_length,
            "tools": source.tools,
            "images": source.images,
            "json_mode": source.json_mode,
        },
    )
    if is_new:
        audit.record_created(route, actor=ENVIRONMENT)
        yield f"route {pool} → {upstream.slug} ({source.model}) added"


def _remove_route(facts: FamilyFacts, pool: Pool) -> Iterator[str]:
    routes = Route.objects.filter(pool=pool, from_environment=True)
    for route in routes.select_related("upstream"):
        audit.record_deleted(route, actor=ENVIRONMENT)
        route.delete()
        yield f"route {pool} → {route.upstream.slug} removed: {facts.upstream.credential_env} is not set"
    # Made anew, with the catalogue's address, when the variable comes back.
    if unused := Upstream.objects.filter(slug=_upstream_slug(facts), routes=None).first():
        audit.record_deleted(unused, actor=ENVIRONMENT)
        unused.delete()
        yield f"upstream {unused.slug} removed"


def _read_address(source: UpstreamFacts) -> str:
    text = os.environ.get(source.base_url_env, "").strip()
    if not text:
        return ""
    try:
        return checks.check_address(text)
    except checks.PoolError as error:
        raise checks.PoolError(f"{source.base_url_env}: {error}") from None


def _upstream_slug(facts: FamilyFacts) -> str:
    return f"{facts.slug}-env"
