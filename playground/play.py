"""The Playground's page: one to three models side by side, asked at once."""

from dataclasses import asdict, dataclass
from typing import Self
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest, membership_required
from billing import money
from billing.models import UsageRecord
from playground import history, status
from playground.choices import Choice, find_choice, list_choices
from playground.history_views import read_id
from playground.samples import name_key, render_samples
from playground.standing import read_standing

MAX_PROMPT = 8_000
"""Characters of a text taken from the address."""
MAX_COLUMNS = 3
NO_ID = UUID(int=0)
"""Stands in addresses for the id that the page's script puts there."""
EFFORTS = (("", "the model’s"), ("none", "off"), ("low", "low"), ("medium", "medium"), ("high", "high"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address fills in: texts, as they stand in the fields."""

    prompt: str = ""
    system: str = ""
    temperature: str = ""
    top_p: str = ""
    max_tokens: str = ""
    thinking: str = ""

    @classmethod
    def read(cls, query: QueryDict) -> Self:
        """Read ``?prompt=&system=&temperature=&top_p=&max_tokens=&thinking=``; numbers that are none are left out."""
        texts = {name: query.get(name, "")[:MAX_PROMPT] for name in ("prompt", "system")}
        numbers = {name: _read_number(query.get(name, "")) for name in ("temperature", "top_p", "max_tokens")}
        thinking = query.get("thinking", "")
        return cls(**texts, **numbers, thinking=thinking if thinking in dict(EFFORTS) else "")


def _read_number(text: str) -> str:
    return text if text.replace(".", "", 1).isdecimal() and len(text) < 12 else ""


@membership_required
@require_safe
def show(request: MemberRequest) -> HttpResponse:
    """Show the Playground; ``?model=`` (id, alias or family, up to three) and the fields of ``Asked`` fill it in."""
    choices = list_choices()
    chosen, unknown = _find_asked(choices, request)
    down = status.find_down() if choices else set()
    standing = read_standing(request.membership)
    conversation_id = read_id(request.GET.get("conversation", ""))
    conversation = conversation_id and history.load(membership=request.membership, conversation_id=conversation_id)
    context = {
        "conversation": conversation and {"id": conversation_id, **conversation},
        "is_conversation_gone": "conversation" in request.GET and not conversation,
        "keeps": history.is_kept(request.membership),
        "choices": choices,
        "chosen": chosen or choices[:1],
        "not_served": ", ".join(unknown)[:100],
        "down": down,
        "down_names": ", ".join(each.model.family.name for each in chosen or choices[:1] if each.model.slug in down),
        "asked": Asked.read(request.GET),
        "efforts": EFFORTS,
        "no_id": NO_ID,
        "cures": standing.cures,
        **asdict(standing),
    }
    if choices:
        first = (chosen or choices)[0].model
        key = name_key(request.membership, family=first.family.slug)
        context["samples"] = render_samples(model=first.slug, base_url=settings.SMARTOKEN_URL, key=key)
    return render(request, "playground/playground.html", context)


def _find_asked(choices: list[Choice], request: HttpRequest) -> tuple[list[Choice], list[str]]:
    """Return the choices that the address names, each once, and the names that aren't served."""
    names = list(dict.fromkeys(name.strip() for name in request.GET.getlist("model")[:20] if name.strip()))
    found = [(name, find_choice(choices, name)) for name in names]
    chosen = dict.fromkeys(choice for _, choice in found if choice)
    return list(chosen)[:MAX_COLUMNS], [name for name, choice in found if not choice]


@membership_required
@require_safe
def show_charge(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Tell what a request was charged: ``is_settled``, and then ``charge`` and ``tokens`` in words."""
    own = UsageRecord.objects.visible_to(request.membership).filter(user=request.user)
    record = own.filter(pk=pk).first()
    if record is None:  # not yet, or somebody else's
        return JsonResponse({"is_settled": False})
    about = "" if record.count_source == UsageRecord.CountSource.PROVIDER else " (estimated)"
    tokens = f"{record.input_tokens:,} tokens in, {record.output_tokens:,} out{about}"
    return JsonResponse({"is_settled": True, "charge": money.format_usd(record.charge_nanos), "tokens": tokens})
