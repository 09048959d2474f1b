"""What a client writes, and what it is answered, is stored nowhere and logged nowhere."""

import logging
from uuid import UUID

import pytest
from django.apps import apps
from django.core import mail

from billing.models import UsageRecord
from playground import history
from playground.models import Conversation
from tests.gateway.callers import eventually

CANARY = "The canary of Wuhan sings 7f3a at 05:40."
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": CANARY}]


@pytest.fixture(autouse=True)
def nothing_is_kept(caplog, settings, transactional_db):
    caplog.set_level(logging.DEBUG)
    settings.ALARM_EMAILS = ["root@example.com"]
    yield
    for model in apps.get_models():  # the Playground's history too: what it keeps is encrypted
        for row in model.objects.values():
            stored = [bytes(value) if isinstance(value, memoryview) else value for value in row.values()]
            assert CANARY.lower() not in str(stored).lower(), model
    assert CANARY.lower() not in caplog.text.lower()
    assert CANARY not in str([vars(message) for message in mail.outbox])


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_repeats_the_question(caller, add_route, stream):
    add_route("echo")
    reply = caller.chat(messages=MESSAGES, stream=stream)
    assert reply.content == CANARY
    assert reply.record


@pytest.mark.parametrize("behaviour", ["echo-400", "echo-500", "echo-in-stream"])
@pytest.mark.parametrize("stream", [True, False])
def test_an_error_that_quotes_the_question(caller, add_route, behaviour, stream):
    add_route(behaviour)
    reply = caller.chat(messages=MESSAGES, stream=stream)
    assert CANARY.lower() not in reply.text.lower()
    assert reply.record.status == "failed"


def test_a_question_that_is_refused(caller, add_route, wallet):
    add_route("ok")
    for body in ({"temperature": CANARY}, {"tools": [{"type": CANARY}]}, {"model": CANARY}, {CANARY: 1, "n": 99}):
        assert caller.chat(**{"messages": MESSAGES, **body}).status in (400, 404)
    assert caller.post(CANARY).status == 400


@pytest.mark.parametrize("behaviour", ["echo", "echo-400", "echo-500", "echo-in-stream"])
def test_a_question_on_the_playground(visitor, add_route, member, behaviour):
    add_route(behaviour)
    visitor.ask(messages=MESSAGES)
    assert eventually(lambda: UsageRecord.objects.filter(organization=member.organization).first())


def test_a_history_that_is_kept_and_one_that_is_off(visitor, member):
    asked = {"conversation": {"columns": [{"model": CANARY, "messages": MESSAGES[1:]}]}}
    kept = visitor.post("/playground/history/save/", asked)
    assert history.load(membership=member, conversation_id=UUID(kept["id"]))["columns"][0]["messages"] == MESSAGES[1:]
    history.delete_all(membership=member)
    history.choose(membership=member, keeps=False)
    assert visitor.post("/playground/history/save/", asked) == {"id": None}
    assert not Conversation.objects.filter(user=member.user).exists()
