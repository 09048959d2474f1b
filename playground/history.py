"""A person's Playground history: kept encrypted for a while, seen and deleted by that person alone.

A conversation is ``{"system": text, "columns": [{"model": id, "messages": [{"role", "content": text}]}]}``.
Images are not kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import closing
from accounts.models import Membership, User
from playground.models import Conversation, HistoryChoice
from routing.cipher import InvalidToken, decrypt, encrypt

MOST_KEPT = 500
"""Conversations of a person in an organization; the oldest make way."""
PAGE = 20
TITLE_LENGTH = 300
MOST_COLUMNS = 3
NO_IMAGE = "[an image, which is not kept]"
DELETED_AT_ONCE = 200


class ConversationError(ValueError):
    """What was to be kept is no conversation."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list."""

    id: UUID
    title: str
    models: list[str]
    changed_at: datetime


def is_kept(membership: Membership) -> bool:
    """Tell whether this person's conversations are kept."""
    choice = HistoryChoice.objects.filter(user=membership.user_id).first()
    return choice is None or choice.keeps


def choose(*, membership: Membership, keeps: bool) -> None:
    """Keep conversations from now on, or no more; those that are there stay."""
    HistoryChoice.objects.update_or_create(user=membership.user, defaults={"keeps": keeps})


def save(*, membership: Membership, content: Any, conversation_id: UUID | None = None) -> UUID | None:
    """Keep a conversation, in place of what it was before; return its id, None where nothing is kept.

    One that was deleted meanwhile gets a new id. Raises ConversationError.
    """
    conversation = _read(content)
    if not is_kept(membership):
        return None
    title = {"title": _title_of(conversation), "models": [column["model"] for column in conversation["columns"]]}
    fields = {
        "sealed_title": encrypt(orjson.dumps(title)),
        "sealed": encrypt(orjson.dumps(conversation)),
        "changed_at": timezone.now(),
    }
    if conversation_id and _own(membership).filter(pk=conversation_id).update(**fields):
        return conversation_id
    made = Conversation.objects.create(user=membership.user, organization=membership.organization, **fields)
    _make_way(membership)
    return made.pk


def load(*, membership: Membership, conversation_id: UUID) -> dict[str, Any] | None:
    """Return the conversation; None where this person has none of this id."""
    found = _own(membership).filter(pk=conversation_id).first()
    return _unseal(found.sealed) if found else None


def list_entries(
    *, membership: Membership, words: str = "", before: UUID | None = None
) -> tuple[list[Entry], UUID | None]:
    """Return a page of the list, the latest first, and the id to go on behind (None at the end).

    ``words`` must all be in the first message or in a model's id.
    """
    rows = _own(membership).order_by("-changed_at", "-id")
    if before and (last := rows.filter(pk=before).first()):
        rows = rows.filter(Q(changed_at__lt=last.changed_at) | Q(changed_at=last.changed_at, pk__lt=last.pk))
    wanted = words.lower().split()
    found = list(islice(_matching(rows[: MOST_KEPT if wanted else PAGE + 1], wanted), PAGE + 1))
    return found[:PAGE], found[PAGE - 1].id if len(found) > PAGE else None


def delete(*, membership: Membership, conversation_id: UUID) -> bool:
    """Delete one; tell whether it was there."""
    return _own(membership).filter(pk=conversation_id).delete()[0] > 0


def delete_all(*, membership: Membership) -> int:
    """Delete the person's whole history in this organization; return how many there were."""
    return _delete(_own(membership))


def forget_old() -> int:
    """Delete what has not changed for PLAYGROUND_DAYS; return how many."""
    return _delete(Conversation.objects.filter(changed_at__lt=timezone.now() - timedelta(settings.PLAYGROUND_DAYS)))


def forget_person(*, user: User) -> int:
    """Delete a person's history in every organization, those that they have left too; return how many there were."""
    HistoryChoice.objects.filter(user=user).delete()
    return _delete(Conversation.objects.filter(user=user))


def forget_closed() -> int:
    """Delete what is there of people whose accounts are closed: the page that closed one may have been cut off."""
    people = closing.list_closed()
    HistoryChoice.objects.filter(user__in=people).delete()
    return _delete(Conversation.objects.filter(user__in=people))


def _own(membership: Membership) -> QuerySet[Conversation]:
    """Return the rows of this person alone: no role sees those of others."""
    return Conversation.objects.filter(user=membership.user_id, organization=membership.organization_id)


def _delete(rows: QuerySet[Conversation]) -> int:
    deleted = 0
    while ids := list(rows.values_list("pk", flat=True)[:DELETED_AT_ONCE]):
        with transaction.atomic():
            deleted += Conversation.objects.filter(pk__in=ids).delete()[0]
    return deleted


def _make_way(membership: Membership) -> None:
    oldest = _own(membership).order_by("-changed_at", "-id").values_list("pk", flat=True)[MOST_KEPT:]
    if ids := list(oldest):
        Conversation.objects.filter(pk__in=ids).delete()


def _matching(rows: QuerySet[Conversation], words: list[str]) -> Iterator[Entry]:
    for row in rows.defer("sealed"):
        about = _unseal(row.sealed_title) or {"title": "can't be read any more", "models": []}
        searched = f"{about['title']} {' '.join(about['models'])}".lower()
        if all(word in searched for word in words):
            yield Entry(row.pk, about["title"], about["models"], row.changed_at)


def _unseal(sealed: bytes | memoryview) -> dict[str, Any] | None:
    try:
        opened: dict[str, Any] = orjson.loads(decrypt(sealed))
    except InvalidToken:  # the keys were changed and the old ones thrown away
        return None
    return opened


def _title_of(conversation: dict[str, Any]) -> str:
    said = (message for column in conversation["columns"] for message in column["messages"])
    first = next((message["content"] for message in said if message["role"] == "user"), "")
    return " ".join(first[: TITLE_LENGTH * 2].split())[:TITLE_LENGTH] or "Without words"


def _read(content: Any) -> dict[str, Any]:
    """Return what is kept of the page's words."""
    try:
        columns = [
            {"model": str(column["model"])[:100], "messages": [_read_message(each) for each in column["messages"]]}
            for column in content["columns"][:MOST_COLUMNS]
        ]
        conversation = {"system": str(content.get("system") or ""), "columns": columns}
        orjson.dumps(conversation)  # half a character can't be kept
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ConversationError("This is no conversation.") from error
    if not any(column["messages"] for column in columns):
        raise ConversationError("Nothing was said yet.")
    return conversation


def _read_message(message: dict[str, Any]) -> dict[str, str]:
    content = message["content"]
    if isinstance(content, list):
        content = "\n".join(part["text"] if part["type"] == "text" else NO_IMAGE for part in content)
    if message["role"] not in ("user", "assistant") or not isinstance(content, str):
        raise ConversationError("A message has a role and a text.")
    return {"role": message["role"], "content": content}
