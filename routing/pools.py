"""Pools of routes: what an operator may put into them, and how."""

import difflib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.db import transaction
from django.utils.text import slugify

from accounts import audit
from billing import costs
from routing import addresses, credentials, dialects
from routing.catalog import load_families
from routing.dialects.base import Address
from routing.models import Family, Model, Pool, Provider, Route, Upstream

MAX_NUMBER = 32767
"""Largest priority and weight: what a small integer of PostgreSQL holds."""

DEFAULT_PORTS = {"http": 80, "https": 443}
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Naming one of these as a credential would send the site's own secrets to a provider.
OWN_SECRETS = re.compile(
    r"SECRET_KEY|DATABASE_URL|REDIS_URL|EMAIL_URL|PGPASSWORD|(SMARTOKEN|STRIPE|DJANGO)_.*", re.IGNORECASE
)


class PoolError(ValueError):
    """A family, address or number that can't be used; the message is for people."""


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


# --- what people write -----------------------------------------------------


def find_family(name: str) -> Family:
    """Return the family of this slug or model id; a PoolError proposes the nearest name."""
    return find_model(name).family


def find_model(name: str) -> Model:
    """Return the model of this public id or alias, else the first one of this family. Raises PoolError."""
    wanted = name.strip()
    models = Model.objects.select_related("family").order_by("pk")
    for match in ({"slug__iexact": wanted}, {"aliases__name__iexact": wanted}, {"family__slug__iexact": wanted}):
        if found := models.filter(**match).first():
            return found
    known = {slug for pair in models.values_list("slug", "family__slug") for slug in pair}
    raise PoolError(_unknown("family", name, known))


def check_address(text: str) -> str:
    """Return an upstream's address as it is stored: no trailing slash, no ``/chat/completions``.

    Raises PoolError. IP addresses are checked here, host names when connecting.
    """
    url = _split(text.strip())
    if url.username is not None or url.password is not None:
        raise PoolError("The address must not hold a user or password; give the credential separately.")
    if url.query or url.fragment:
        raise PoolError("The address must not hold a ? or a #; it ends before /chat/completions.")
    _check_host(url.hostname or "")
    path = url.path.rstrip("/").removesuffix("/chat/completions").rstrip("/")
    host = url.netloc.lower()
    if url.port == DEFAULT_PORTS[url.scheme]:
        host = host.removesuffix(f":{url.port}")
    address = f"{url.scheme}://{host}{path}"
    if len(address) > 200:
        raise PoolError("The address is longer than 200 characters.")
    return address


def check_dialect(name: str) -> str:
    """Return the name of a dialect as it is stored; a PoolError proposes the nearest."""
    wanted = name.strip().lower()
    if wanted not in dialects.DIALECTS:
        raise PoolError(_unknown("dialect", name, dialects.DIALECTS))
    return wanted


def choose_dialect(name: str, *, base_url: str | None, family: str = "") -> str:
    """Return the named dialect; without a name that of the address, or the family's own. Raises PoolError."""
    if name:
        return check_dialect(name)
    if base_url is not None:
        return dialects.find_by_host(_host(check_address(base_url))) or "openai"
    return next((facts.upstream.dialect for facts in load_families() if facts.slug == family), "openai")


def default_address(dialect: str) -> Address:
    """Return a provider's first address. Raises PoolError where the dialect is no provider's."""
    name = check_dialect(dialect)
    if not (known := dialects.get(name).addresses):
        raise PoolError(f"The dialect {name!r} is spoken at many addresses: give the base URL of yours.")
    return known[0]


def check_model_id(text: str) -> str:
    """Return the id a model has at its upstream. Raises PoolError."""
    name = text.strip()
    if not name or len(name) > 128 or not name.isprintable():
        raise PoolError("Name the model as the upstream calls it, in at most 128 characters.")
    return name


def check_env_name(text: str) -> str:
    """Return the name of an environment variable, or nothing for nothing. Raises PoolError."""
    name = text.strip()
    if name and (not ENV_NAME.fullmatch(name) or len(name) > 64):
        raise PoolError(
            "The credential's variable must be a name such as DEEPSEEK_API_KEY: letters, digits and _, not the value."
        )
    if OWN_SECRETS.fullmatch(name):
        raise PoolError(f"{name} belongs to this site and is never sent to an upstream; use a variable of its own.")
    return name


def check_number(what: str, number: int, least: int) -> int:
    """Return a priority or a weight if it is in range. Raises PoolError."""
    if not least <= number <= MAX_NUMBER:
        raise PoolError(f"The {what} must be a number from {least} to {MAX_NUMBER}.")
    return number


def _split(text: str) -> SplitResult:
    # The text is not repeated in the errors: it may hold a password.
    problem = "The address must begin with http:// or https:// and a host, such as https://api.example.com/v1."
    try:
        url = urlsplit(text)
        has_port = url.port != 0
    except ValueError:
        raise PoolError(problem) from None
    plain = text.isascii() and text.isprintable() and not set(text) & set(" \\<>\"'{}|^`")
    if url.scheme not in ("http", "https") or not url.hostname or not plain or not has_port:
        raise PoolError(problem)
    return url


def _check_host(host: str) -> None:
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        if re.fullmatch(r"(0x[0-9a-f]*|\d+)", host.rstrip(".").rpartition(".")[2]) or ".." in host:
            # 127.1, 2130706433 and 0x7f.1 are addresses in disguise.
            raise PoolError(f"{host[:60]} is neither a host name nor an IP address.") from None
        name = host.rstrip(".")
        if name != "localhost" and not name.endswith(".localhost"):
            return
        address = "127.0.0.1"
    if not addresses.is_allowed(address):
        raise PoolError(
            f"{host} is not a public address. Upstreams on private addresses need"
            " SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS=1; addresses of cloud metadata are never allowed."
        )


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name.strip().lower(), sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(sorted(known)) or 'none yet'}."
    return f"There is no {what} {name.strip()[:40]!r}; {hint}"


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
    host = _host(address)
    for facts in (family.upstream for family in load_families()):
        if _host(facts.base_url) == host:
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


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


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
