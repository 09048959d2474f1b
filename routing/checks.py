"""What an operator writes about upstreams and routes, checked: names, addresses, numbers."""

import difflib
import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from routing import addresses, dialects
from routing.catalog import load_families
from routing.dialects.base import Address
from routing.models import Family, Model

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
        return dialects.find_by_host(host_of(check_address(base_url))) or "openai"
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


def host_of(address: str) -> str:
    return urlsplit(address).hostname or ""
