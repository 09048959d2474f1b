"""The small endpoints of `/v1`: models, the key itself, and help for addresses that don't exist."""

from datetime import UTC
from typing import Any

from django.conf import settings

from accounts.keys import KeyRecord
from accounts.models import APIKey
from billing import ledger, money, usage
from billing.usage import Budget
from routing.errors import GatewayError
from routing.snapshot import ModelRecord, Snapshot

CHAT = "POST /v1/chat/completions"
METHODS = {
    "/v1/chat/completions": "POST",
    "/v1/models": "GET",
    "/v1/key": "GET",
    "/v1": "GET",
}
SLIPS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/messages")
HINTS = {
    "/v1/responses": f"Use {CHAT}; in the Vercel AI SDK choose the model by `openai.chat(model)`.",
    "/v1/completions": f"Use {CHAT} with `messages`.",
    "/v1/messages": f"Use {CHAT} with an OpenAI-compatible client.",
    "/v1/embeddings": "This site serves chat models only.",
    "/v1/engines": "Use GET /v1/models.",
    "/v1/chat": f"Use {CHAT}.",
    "/v1/completion": f"Use {CHAT}.",
}


def find_model(snapshot: Snapshot, key: KeyRecord, name: str) -> ModelRecord:
    """Return the served model of this id or alias that the key may use. Raises GatewayError."""
    model = snapshot.find(name)
    shown = name[:100]
    if model is None:
        nearest = snapshot.nearest(name)
        hint = f' Did you mean "{nearest}"?' if nearest else " GET /v1/models lists what there is."
        raise GatewayError("model_not_found", f'There is no model "{shown}".{hint}', "model")
    if not model.is_served:
        raise GatewayError("model_not_served", f"{model.name} is not served on this site.", "model")
    if key.families and model.family not in key.families:
        raise GatewayError("model_not_allowed", f"This key may not use {model.name}.", "model")
    return model


def list_models(snapshot: Snapshot, key: KeyRecord) -> dict[str, Any]:
    """Return OpenAI's list of the models that the key may use."""
    models = [model for model in snapshot.models.values() if model.is_served]
    usable = [model for model in models if not key.families or model.family in key.families]
    return {"object": "list", "data": [describe_model(model) for model in usable]}


def show_model(snapshot: Snapshot, key: KeyRecord, name: str) -> dict[str, Any]:
    return describe_model(find_model(snapshot, key, name))


def describe_model(model: ModelRecord) -> dict[str, Any]:
    """Return OpenAI's fields and, beside them, the figures that clients look for under other gateways' names."""
    input_price, cached_price, output_price = model.price.micros
    sees = any(route.images for route in model.routes)
    return {
        "id": model.slug,
        "object": "model",
        "created": model.created,
        "owned_by": model.company,
        "name": model.name,
        "context_length": model.context_length,
        "context_window": model.context_length,
        "max_model_len": model.context_length,
        "max_completion_tokens": model.max_output_tokens,
        "pricing": {
            "prompt": _price_per_token(input_price),
            "completion": _price_per_token(output_price),
            "input_cache_read": _price_per_token(cached_price),
            "currency": "USD",
        },
        "architecture": {
            "input_modalities": ["text", "image"] if sees else ["text"],
            "output_modalities": ["text"],
        },
        "supported_parameters": _supported_parameters(model),
    }


def _price_per_token(micros_per_million: int) -> str:
    # micro-dollars per 1M tokens are 10^-12 dollars per token
    text = f"{micros_per_million // 10**12}.{micros_per_million % 10**12:012d}"
    return text.rstrip("0").rstrip(".")


def _supported_parameters(model: ModelRecord) -> list[str]:
    names = ["max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "stream", "stream_options", "n"]
    if any(route.tools for route in model.routes):
        names += ["tools", "tool_choice"]
    if any(route.json_mode for route in model.routes):
        names += ["response_format"]
    return names


def describe_key(key: KeyRecord) -> dict[str, Any]:
    """Return this key's own limits; the wallet only if the key may see it. Reads the database."""
    row = APIKey.objects.select_related("organization").get(pk=key.id)
    day, month = usage.read_budgets(keys=[row])[row.pk]
    described: dict[str, Any] = {
        "object": "key",
        "name": row.name,
        "prefix": row.prefix,
        "families": sorted(key.families) or None,
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
        "requests_per_minute": row.requests_per_minute,
        "currency": "USD",
        "daily": _describe_budget(day),
        "monthly": _describe_budget(month),
    }
    if row.may_see_wallet:
        wallet = ledger.get_wallet(organization=row.organization)
        described["wallet"] = {"available_usd": money.usd(wallet.free_nanos or 0)}
    return described


def _describe_budget(budget: Budget) -> dict[str, Any]:
    return {
        "limit_usd": None if budget.limit is None else money.usd(budget.limit),
        "spent_usd": money.usd(budget.spent),
        "held_usd": money.usd(budget.held),
        "left_usd": None if budget.left is None else money.usd(budget.left),
        "resets_at": budget.ends_at.astimezone(UTC).isoformat(),
    }


def is_slip(path: str) -> bool:
    """Tell whether an address outside `/v1` is one that a client with a wrong base URL makes."""
    return path.startswith("//") or path.endswith(SLIPS)


def explain(method: str, path: str) -> GatewayError:
    """Return the error for an endpoint that does not exist, naming what was probably meant."""
    if method != METHODS.get(path, method):
        allow = [(b"allow", METHODS[path].encode())]
        message = f"{path} takes {METHODS[path]}, not {method}."
        return GatewayError("method_not_allowed", message, extra_headers=allow)
    shown = path[:200]
    hint = HINTS.get(path, "")
    inner = path.removeprefix("/v1")
    if not path.startswith("/v1"):
        hint = f"The base URL must be {settings.SMARTOKEN_URL}/v1, so that this becomes {CHAT}."
    elif inner.startswith("/v1"):
        hint = f"The address holds /v1 twice: the base URL already ends in it. Use {inner}."
    elif path.endswith(("/chat/completions", "/completions")):
        hint = hint or f"Use {CHAT}."
    known = f"This gateway has {CHAT}, GET /v1/models, GET /v1/models/{{id}} and GET /v1/key."
    return GatewayError("unknown_endpoint", f"There is no {method} {shown} here. {hint or known}")
