"""What the Playground's script sends, against what makes no sense: an answer in JSON, nothing written."""

import json

import pytest

from accounts.models import AuditEntry
from billing.models import Hold, UsageRecord
from playground.bodies import SENT
from playground.models import Conversation

RIGHT = {"model": "kimi", "messages": [{"role": "user", "content": "Hello"}]}
TEXTS = ["", "x" * 20_000, "a\0b", "\ud800", "nobody"]
BAD = [*TEXTS, -1, 0, 10**30, float("nan"), True, None, [], [[]], [None], {}, {"a": {}}]
BODIES = ["", "{", "[]", "null", "7", '"a"', "NaN", "\0", "[" * 100_000, '{"conversation": {"columns": "x"}}']


def send(browser, path, content):
    return browser.generic("POST", path, content, "application/json")


@pytest.fixture
def browser(alice, catalogue):
    alice.raise_request_exception = False
    return alice


def rows():
    return [model.objects.count() for model in (Conversation, UsageRecord, Hold, AuditEntry)]


@pytest.mark.parametrize("name", SENT)
def test_a_field_of_a_call_never_breaks_the_code(browser, name):
    for value in BAD:
        answer = send(browser, "/playground/call/", json.dumps(RIGHT | {name: value}))
        assert answer.status_code in (200, 400, 422), (value, answer.content[:200])
        assert answer.status_code == 200 or answer.json()["problem"], value


@pytest.mark.parametrize("path", ["/playground/call/", "/playground/history/save/"])
@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_none_is_refused(browser, path, body):
    before = rows()
    answer = send(browser, path, body)
    assert answer.status_code == 400 and answer.json()["problem"]
    assert rows() == before


@pytest.mark.parametrize("name", ["system", "columns", "model", "messages", "role", "content"])
def test_a_conversation_that_is_none_is_not_kept(browser, name):
    for value in BAD:
        message = {"role": "user", "content": "Hi"} | ({name: value} if name in ("role", "content") else {})
        column = {"model": "kimi", "messages": [message]} | ({name: value} if name in ("model", "messages") else {})
        content = {"columns": [column]} | ({name: value} if name in ("system", "columns") else {})
        answer = send(browser, "/playground/history/save/", json.dumps({"conversation": content}))
        assert answer.status_code in (200, 400), (value, answer.content[:200])
        assert browser.get("/playground/history/").status_code == 200, value
        kept = answer.json().get("id")
        assert kept is None or browser.get(f"/playground/?conversation={kept}").status_code == 200, value
