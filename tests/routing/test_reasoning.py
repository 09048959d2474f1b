"""The reasoning before a tool call is remembered for an hour, in bounds."""

import asyncio

import pytest
from django.conf import settings

from routing import reasoning
from routing.dialects import messages
from routing.dialects.messages import find_lost
from routing.reasoning import ReasoningMemory


def run(coroutine):
    return asyncio.run(coroutine)


def test_what_was_remembered_is_recalled_by_any_of_its_calls():
    memory = ReasoningMemory()
    run(memory.remember(1, ["a", "b"], "Hm"))
    assert run(memory.recall(1, ["b", "c"])) == {"b": "Hm"}
    assert run(memory.recall(2, ["a"])) == {}


def test_it_is_forgotten_after_an_hour(monkeypatch):
    memory = ReasoningMemory()
    monkeypatch.setattr(reasoning, "KEPT_SECONDS", -1)
    run(memory.remember(1, ["a"], "Hm"))
    assert run(memory.recall(1, ["a"])) == {}


def test_the_oldest_makes_way_for_the_newest(monkeypatch):
    memory = ReasoningMemory()
    monkeypatch.setattr(reasoning, "MAX_BYTES", 2 * reasoning._weigh("12345"))
    for name in ("a", "b", "c"):
        run(memory.remember(1, [name], "12345"))
    assert run(memory.recall(1, ["a", "b", "c"])) == {"b": "12345", "c": "12345"}


def test_short_texts_take_no_more_memory_than_they_count(monkeypatch):
    memory = ReasoningMemory()
    monkeypatch.setattr(reasoning, "MAX_BYTES", 100_000)
    run(memory.remember(1, map(str, range(1000)), "x"))
    assert len(memory._texts) < 100_000 / reasoning.ENTRY_BYTES


def test_what_is_over_makes_way_without_being_asked_for(monkeypatch):
    memory = ReasoningMemory()
    monkeypatch.setattr(reasoning, "KEPT_SECONDS", -1)
    run(memory.remember(1, ["a"], "Hm"))
    monkeypatch.setattr(reasoning, "KEPT_SECONDS", 60)
    run(memory.remember(1, ["b"], "Hm"))
    assert len(memory._texts) == 1


@pytest.mark.skipif("not settings.REDIS_URL", reason="processes share it through Redis")
def test_another_process_recalls_it_and_redis_cannot_read_it():
    async def talk():
        first, second = ReasoningMemory(settings.REDIS_URL), ReasoningMemory(settings.REDIS_URL)
        await first.remember(1, ["a"], "a canary")
        raw = await first._redis.get(reasoning._name(1, "a"))
        recalled = await second.recall(1, ["a"])
        await first.close()
        await second.close()
        return raw, recalled

    raw, recalled = run(talk())
    assert recalled == {"a": "a canary"}
    assert b"canary" not in raw


def test_without_redis_each_process_remembers_for_itself(caplog):
    memory = ReasoningMemory("redis://127.0.0.1:1/0")

    async def talk():
        await memory.remember(1, ["a"], "Hm")
        found = await memory.recall(1, ["a", "b"])
        await memory.close()
        return found

    assert run(talk()) == {"a": "Hm"}


def test_it_is_looked_for_in_the_latest_turns_alone():
    turn = {"role": "assistant", "tool_calls": [{"id": "a"}]}
    assert len(find_lost([turn] * 5000)) == messages.MAX_TURNS
