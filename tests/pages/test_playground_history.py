"""A person's Playground history: kept for them alone, until they delete it or its time is over."""

import json
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.models import Membership
from playground import history
from playground.models import Conversation


@pytest.fixture
def membership(alice):
    return Membership.objects.get()


def said(question="How deep is the Yangtze?", answer="Deep.", model="kimi"):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"system": "Be brief.", "columns": [{"model": model, "messages": messages}]}


def save(client, conversation, id=None, status=200):
    body = json.dumps({"id": str(id) if id else None, "conversation": conversation})
    response = client.post("/playground/history/save/", body, content_type="application/json")
    assert response.status_code == status
    return response.json().get("id")


def read(client, address="/playground/history/"):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_what_is_kept_comes_back(alice, membership, catalogue):
    id = save(alice, said())
    assert "How deep is the Yangtze?" in read(alice)
    assert '"Deep."' in read(alice, f"/playground/?conversation={id}")
    assert history.load(membership=membership, conversation_id=uuid.UUID(id)) == said()


def test_a_nul_in_a_text_is_kept_like_any_character(alice, membership, catalogue):
    id = save(alice, said("a\0b", "c\0d"))
    assert read(alice)
    assert history.load(membership=membership, conversation_id=uuid.UUID(id)) == said("a\0b", "c\0d")


def test_it_grows_in_its_place(alice, membership):
    id = save(alice, said())
    assert save(alice, said(answer="Very deep."), id) == id
    assert Conversation.objects.count() == 1


def test_one_that_was_deleted_meanwhile_is_kept_anew(alice):
    id = save(alice, said())
    alice.post(f"/playground/history/{id}/delete/")
    assert save(alice, said(), id) != id


def test_it_lies_encrypted(alice):
    save(alice, said())
    row = Conversation.objects.values().get()
    assert b"Yangtze" not in bytes(row["sealed"]) + bytes(row["sealed_title"])


def test_images_are_left_out(alice, membership):
    picture = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png"}}]
    id = save(alice, said(question=picture))
    kept = history.load(membership=membership, conversation_id=uuid.UUID(id))
    assert kept["columns"][0]["messages"][0]["content"] == "What is it?\n[an image, which is not kept]"


@pytest.mark.parametrize(
    "broken",
    [None, [], {}, {"columns": 1}, {"columns": []}, said(question=5), {"columns": [{"model": "kimi"}]}, said("\ud800")],
)
def test_what_is_no_conversation_is_refused(alice, broken):
    save(alice, broken, status=400)
    assert not Conversation.objects.exists()


def test_html_stays_text(alice, catalogue):
    id = save(alice, said("<script>alert(1)</script>"))
    assert "<script>alert" not in read(alice) + read(alice, f"/playground/?conversation={id}")


# --- nobody else ---------------------------------------------------------------


@pytest.mark.parametrize("role", Membership.Role.values)
def test_others_of_the_organization_do_not_see_it(alice, membership, catalogue, role):
    id = save(alice, said())
    other = people.ensure_member(email="owner@example.com")[0]
    other.delete()
    Membership.objects.create(user=other.user, organization=membership.organization, role=role)
    client = Client()
    client.force_login(other.user)
    assert "Yangtze" not in read(client) + read(client, f"/playground/?conversation={id}")
    client.post(f"/playground/history/{id}/delete/")
    client.post("/playground/history/delete/")
    assert save(client, said("Mine"), id) != id
    assert history.load(membership=membership, conversation_id=uuid.UUID(id)) == said()


# --- finding -------------------------------------------------------------------


def test_it_is_found_by_words_and_by_model(alice):
    save(alice, said("The bridge of Wuhan"))
    save(alice, said("A river", model="qwen"))
    assert "A river" not in read(alice, "/playground/history/?q=wuhan+BRIDGE")
    assert "A river" in read(alice, "/playground/history/?q=qwen")
    assert "No conversation begins with" in read(alice, "/playground/history/?q=nothing")


def test_a_long_list_comes_in_pages(alice, membership):
    for number in range(45):
        history.save(membership=membership, content=said(f"Question {number:02}"))
    seen, before = [], None
    while True:
        entries, before = history.list_entries(membership=membership, before=before)
        seen += [entry.title for entry in entries]
        if not before:
            break
    assert seen == [f"Question {number:02}" for number in reversed(range(45))]


def test_the_oldest_make_way(membership, monkeypatch):
    monkeypatch.setattr(history, "MOST_KEPT", 3)
    for number in range(5):
        history.save(membership=membership, content=said(f"Question {number}"))
    titles = [entry.title for entry in history.list_entries(membership=membership)[0]]
    assert titles == ["Question 4", "Question 3", "Question 2"]


# --- off, and over ---------------------------------------------------------------


def test_off_means_that_nothing_is_stored(alice):
    alice.post("/playground/history/keep/", {"keeps": "0"})
    assert save(alice, said()) is None
    assert not Conversation.objects.exists()
    assert "The history is off" in read(alice)
    alice.post("/playground/history/keep/", {"keeps": "1"})
    assert save(alice, said())


def test_all_of_it_is_deleted(alice):
    save(alice, said())
    save(alice, said())
    alice.post("/playground/history/delete/")
    assert not Conversation.objects.exists()


def test_it_is_forgotten_when_its_time_is_over(membership, settings):
    settings.PLAYGROUND_DAYS = 7
    for days in (6, 8):
        id = history.save(membership=membership, content=said())
        Conversation.objects.filter(pk=id).update(changed_at=timezone.now() - timedelta(days))
    assert history.forget_old() == 1
    assert Conversation.objects.count() == 1


def test_what_can_not_be_decrypted_any_more_is_listed_and_can_be_deleted(alice, catalogue):
    id = save(alice, said())
    Conversation.objects.update(sealed=b"gAAA", sealed_title=b"gAAA")
    assert "can&#x27;t be read any more" in read(alice)
    assert "not in your history any more" in read(alice, f"/playground/?conversation={id}")
