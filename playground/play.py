"""The Playground's page: one model, a conversation that lives in the page only."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render

from accounts.middleware import MemberRequest, membership_required
from accounts.models import Membership
from billing.ledger import get_wallet
from billing.models import Price
from billing.pricing import current_prices
from routing.models import Alias, Model
from routing.snapshot import served_models

MAX_PROMPT = 8_000
"""Characters of a prompt taken from the address."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to choose: who made it, and what it costs now."""

    model: Model
    price: Price


@membership_required
def show(request: MemberRequest) -> HttpResponse:
    """Show the Playground; ``?model=`` (id, alias or family) and ``?prompt=`` fill it in."""
    choices = list_choices()
    asked = request.GET.get("model", "").strip()
    chosen = find_choice(choices, asked)
    wallet = get_wallet(organization=request.membership.organization)
    context = {
        "choices": choices,
        "chosen": chosen or (choices[0] if choices else None),
        "not_served": "" if chosen else asked[:100],
        "prompt": request.GET.get("prompt", "")[:MAX_PROMPT],
        "is_wallet_empty": (wallet.free_nanos or 0) <= 0,
        "may_see_wallet": request.membership.role != Membership.Role.MEMBER,
    }
    return render(request, "playground/playground.html", context)


def list_choices() -> list[Choice]:
    """Return the served models that have a price, in the families' order."""
    prices = current_prices()
    served = served_models() & prices.keys()
    models = Model.objects.filter(slug__in=served).select_related("family").order_by("family__position", "slug")
    return [Choice(model, prices[model.slug]) for model in models]


def find_choice(choices: list[Choice], name: str) -> Choice | None:
    """Return the choice of this model id, alias or family; None where it isn't served."""
    lowered = name.lower()
    alias = Alias.objects.filter(name__iexact=name).values_list("model__slug", flat=True).first()
    names = {lowered, alias}
    by_model = next((choice for choice in choices if choice.model.slug in names), None)
    return by_model or next((choice for choice in choices if choice.model.family.slug == lowered), None)
