"""What an upstream says of itself: the models that it lists, for an operator who puts it into a pool."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routing import checks, dialects
from routing.dialects.base import UpstreamFault
from routing.dialects.meanings import Meaning
from routing.models import Alias, Model, Provider, Upstream
from routing.snapshot import UpstreamRecord, describe_upstream
from routing.upstream import ask

SECONDS = 15
LONGEST = 2**31 - 1

# Servers and providers name the same thing in many ways; the first that is there counts.
NAMES = ("id", "model")
CONTEXT = ("max_model_len", "context_length", "max_input_length", "context_window", "total_tokens")
ANSWER = ("max_output_length", "max_output_tokens", "max_completion_tokens")
ENGINES = {"vllm", "lmdeploy", "sglang"}
"""What one's own server calls the owner of its models."""

PROBLEMS = {
    "dns": "its host name is not known",
    "connect": "nothing listens there",
    "proxy": "its proxy does not let us through",
    "certificate": "its certificate can't be trusted",
    "connect_timeout": "it can't be reached in time",
    "timeout": f"it did not answer within {SECONDS} seconds",
    "disconnected": "it hung up without an answer",
    "cut": "its answer broke off",
    "redirect": "it redirects elsewhere; give the address that it leads to",
    "bad_address": "this is no address that can be called",
    "address_not_allowed": "its host is not at a public address, and private ones need"
    " SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS=1; addresses of cloud metadata are never allowed",
    "credential_missing": "the variable that holds its credential is not set here",
    "credential_unreadable": "its stored credential can't be decrypted; enter it again in the admin",
    "not_json": "its answer is not JSON; the base URL is what stands before /chat/completions, often with /v1",
    "not_an_object": "its answer is no list of models",
    Meaning.BAD_CREDENTIAL: "it refuses the credential, or asks for one",
    Meaning.NO_PERMISSION: "it does not let this credential see its models",
}


class InspectionError(ValueError):
    """An upstream that tells nothing; the message is one sentence for people."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that an upstream lists; lengths in tokens, None where it tells none."""

    id: str
    context_length: int | None = None
    max_output_tokens: int | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of it; ``dialect`` is the one to use, by what the server calls itself."""

    base_url: str
    dialect: str
    models: list[ListedModel]
    credential_env: str = ""
    has_stored_credential: bool = False


def inspect_address(*, base_url: str | None, dialect: str = "", credential_env: str = "") -> Findings:
    """Read the models of an address that need not be an upstream yet. Raises PoolError or InspectionError.

    ``base_url`` None: the dialect's first address. Without a dialect it is what the server says it is.
    """
    name = checks.choose_dialect(dialect, base_url=base_url)
    address = checks.check_address(checks.default_address(name).url if base_url is None else base_url)
    row = Upstream(
        base_url=address, dialect=name, credential_env=checks.check_env_name(credential_env), provider=Provider()
    )
    models = read_models(describe_upstream(row))
    is_engine = not dialect and any(model.owner in ENGINES for model in models)
    return Findings(address, "vllm" if is_engine else name, models, row.credential_env)


def inspect_upstream(upstream: Upstream) -> Findings:
    """Read the models of an upstream that is there, with its credential. Raises InspectionError."""
    models = read_models(describe_upstream(upstream))
    return Findings(
        upstream.base_url, upstream.dialect, models, upstream.credential_env, upstream.credential is not None
    )


def read_models(upstream: UpstreamRecord) -> list[ListedModel]:
    """Return what the upstream lists, in its order. Call it where no loop runs. Raises InspectionError."""
    dialect = dialects.get(upstream.dialect)
    try:
        listed = _parse(ask(upstream, dialect, dialect.models_url(upstream.base_url), seconds=SECONDS))
    except UpstreamFault as fault:
        raise InspectionError(f"{upstream.base_url}: {_explain(fault)}.") from None
    if not listed:
        raise InspectionError(f"{upstream.base_url} answers, but lists no models.")
    return listed


def _explain(fault: UpstreamFault) -> str:
    if problem := PROBLEMS.get(fault.reason):
        return f"{problem} ({fault.status})" if fault.status else problem
    if fault.status == 404:
        return "there is no list of models (404); the base URL is what stands before /chat/completions, often with /v1"
    if fault.status:
        words = f": {fault.provider_message[:200]}" if fault.provider_message else ""
        return f"it answers with status {fault.status}{words}"
    return fault.message.rstrip(".") or f"it can't be read ({fault.reason})"


def _parse(content: Any) -> list[ListedModel]:
    """Return the models in ``{"data": [...]}``, in ``{"models": [...]}`` or in a bare list."""
    rows = content.get("data", content.get("models")) if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise UpstreamFault("upstream_error", "not_an_object")
    found = (_read_model(row) for row in rows if isinstance(row, dict))
    return [model for model in found if model]


def _read_model(row: Mapping[str, Any]) -> ListedModel | None:
    name = next((row[name] for name in NAMES if isinstance(row.get(name), str)), "")
    try:
        model_id = checks.check_model_id(name)
    except checks.PoolError:
        return None  # no route could name it
    owner = str(row.get("owned_by") or "").lower()
    return ListedModel(model_id, _first_length(row, CONTEXT), _first_length(row, ANSWER), owner)


def _first_length(row: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    lengths = (row.get(name) for name in names)
    return next((one for one in lengths if type(one) is int and 0 < one <= LONGEST), None)


def guess_family(model_id: str) -> str:
    """Return the slug of the family that a model of this id belongs to; '' where its name tells none.

    ``internlm/internlm3-8b-instruct`` begins with ``internlm`` before and behind the slash.
    """
    known = {row["slug"]: row["family__slug"] for row in Model.objects.values("slug", "family__slug")}
    known |= {
        row["name"].lower(): row["model__family__slug"] for row in Alias.objects.values("name", "model__family__slug")
    }
    known |= {slug: slug for slug in list(known.values())}
    parts = reversed(model_id.lower().split("/"))
    fits = [name for part in parts for name in known if part.startswith(name)]
    return known[max(fits, key=len)] if fits else ""
