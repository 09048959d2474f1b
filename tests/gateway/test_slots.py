"""So many calls at once to an upstream, a short queue before it, and every place given back."""

import threading

import pytest

from billing import batcher
from routing import slots
from routing.models import Upstream
from routing.runtime import get_runtime
from tests.gateway.callers import RawClient, eventually, read_until
from tests.gateway.conftest import in_force


@pytest.fixture(autouse=True)
def no_place_leaks():
    yield
    eventually(lambda: get_runtime().slots.is_empty)


@pytest.fixture
def add_narrow(add_route):
    """Add a route whose upstream takes one call at once."""

    def add(behaviour, limit=1, **fields):
        route = add_route(behaviour, **fields)
        Upstream.objects.filter(pk=route.upstream_id).update(max_parallel=limit)
        in_force()
        return route

    return add


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(slots, "QUEUE_SECONDS", 0.1)


def outcomes(record):
    return [(attempt["outcome"], attempt["reason"]) for attempt in record.attempts]


def chat_beside(caller, replies, **body):
    thread = threading.Thread(target=lambda: replies.append(caller.chat(**body)))
    thread.start()
    return thread


def test_the_next_in_the_queue_takes_the_place(caller, add_narrow, upstream):
    add_narrow("held")
    replies = []
    threads = [chat_beside(caller, replies, stream=True) for _ in range(2)]
    eventually(lambda: upstream.requests)
    line = get_runtime().slots._lines
    eventually(lambda: any(one.waiting for one in line.values()))
    assert len(upstream.requests) == 1
    upstream.open_gate()
    for thread in threads:
        thread.join()
    assert [reply.content for reply in replies] == ["Hello from upstream"] * 2


@pytest.mark.usefixtures("impatient")
def test_who_waits_too_long_goes_to_the_next_route(caller, add_narrow, add_route, upstream):
    add_narrow("held", priority=1)
    add_route("ok", priority=2)
    with caller.streaming():
        assert outcomes(caller.chat().record) == [("skipped", "busy"), ("answered", "")]


@pytest.mark.usefixtures("impatient")
def test_no_more_requests_than_so_many_are_open_at_once(caller, add_route, upstream, settings):
    add_route("held")
    settings.OPEN_REQUESTS = 1
    with caller.streaming() as response:
        read_until(response.iter_lines(), "Hello")
        refused = caller.chat()
        assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
        assert len(upstream.requests) == 1


def test_no_more_requests_than_so_many_wait_for_the_ledger(caller, add_route, upstream, monkeypatch):
    add_route("ok")
    monkeypatch.setattr(batcher, "MAX_WAITING", 0)
    refused = caller.chat()
    assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
    assert not upstream.requests


def test_without_another_route_the_site_is_overloaded(caller, add_narrow, upstream):
    add_narrow("held")
    with caller.streaming():
        reply = caller.chat()
    assert (reply.status, reply.error["code"]) == (503, "overloaded")
    assert reply.headers["x-should-retry"] == "true"
    assert len(upstream.requests) == 1


def test_a_full_queue_is_not_joined(caller, add_narrow, monkeypatch):
    monkeypatch.setattr(slots, "MAX_WAITING", 0)
    add_narrow("held")
    with caller.streaming():
        assert caller.chat().error["code"] == "overloaded"


@pytest.mark.parametrize("behaviour", ["ok", "refuse-500", "break-at-once", "break-mid-stream", "empty-stream"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_place_is_given_back_however_the_call_ends(caller, add_narrow, behaviour, stream):
    add_narrow(behaviour)
    caller.chat(stream=stream)
    assert get_runtime().slots.is_empty


def test_a_client_that_leaves_gives_its_place_back(caller, add_narrow, upstream):
    add_narrow("held")
    client = RawClient(caller, stream=True)
    client.read_until(b"Hello")
    client.close()
    assert upstream.requests[0].closed.wait(10)


def test_a_client_that_leaves_the_queue_gives_nothing_away(caller, add_narrow, upstream):
    route = add_narrow("held")
    with caller.streaming() as response:
        waiting = RawClient(caller, stream=True)
        line = get_runtime().slots._lines[route.upstream.slug]
        eventually(lambda: line.waiting)
        waiting.close()
        eventually(lambda: not line.waiting)
        assert line.taken == 1
        upstream.open_gate()
        assert "from" in "".join(response.iter_text())


def test_a_stalled_upstream_gives_its_place_back(caller, add_narrow, settings):
    settings.IDLE_SECONDS = 0.2
    add_narrow("held")
    assert caller.chat(stream=True).error["code"] == "upstream_timeout"
