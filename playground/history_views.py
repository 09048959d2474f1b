"""The pages of a person's Playground history: a list that is also a panel, and what changes it."""

from uuid import UUID

import orjson
from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest, membership_required
from playground import history
from playground.bodies import read_body
from routing.errors import GatewayError

MAX_BODY = 4 * 2**20
"""Bytes of a conversation; its images are left out by the page."""


@membership_required
@require_safe
def show(request: MemberRequest) -> HttpResponse:
    """List the conversations: ``?q=`` words, ``?before=`` the page behind that one, ``?part=1`` the list alone."""
    words = request.GET.get("q", "").strip()[:100]
    before = read_id(request.GET.get("before", ""))
    entries, following = history.list_entries(membership=request.membership, words=words, before=before)
    context = {
        "entries": entries,
        "following": following,
        "words": words,
        "is_first": before is None,
        "keeps": history.is_kept(request.membership),
        "days": settings.PLAYGROUND_DAYS,
    }
    is_part = request.GET.get("part") == "1"
    return render(request, "playground/_history.html" if is_part else "playground/history.html", context)


@membership_required
@require_POST
def save(request: MemberRequest) -> HttpResponse:
    """Keep ``{"id": id or null, "conversation": …}``; answer ``{"id": id}``, null where the history is off."""
    try:
        asked = orjson.loads(read_body(request, MAX_BODY))
        kept = history.save(
            membership=request.membership,
            content=asked["conversation"],
            conversation_id=read_id(str(asked.get("id"))),
        )
    except (ValueError, TypeError, KeyError, AttributeError, GatewayError):
        return JsonResponse({"problem": "This conversation can't be kept."}, status=400)
    return JsonResponse({"id": kept})


@membership_required
@require_POST
def choose(request: MemberRequest) -> HttpResponse:
    history.choose(membership=request.membership, keeps=request.POST.get("keeps") == "1")
    return redirect("playground_history")


@membership_required
@require_POST
def delete(request: MemberRequest, pk: UUID) -> HttpResponse:
    if not history.delete(membership=request.membership, conversation_id=pk):
        raise Http404("There is no such conversation in your history.")
    return redirect("playground_history")


@membership_required
@require_POST
def delete_all(request: MemberRequest) -> HttpResponse:
    history.delete_all(membership=request.membership)
    return redirect("playground_history")


def read_id(text: str) -> UUID | None:
    """Return the id in an address; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
