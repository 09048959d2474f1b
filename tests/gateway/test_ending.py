"""A server that stops lets its answers end, and settles what it must cut."""

import threading
from collections.abc import Iterator

import httpx
import pytest
from django.test import override_settings

from billing.models import Hold, UsageRecord
from routing.runtime import get_runtime
from tests.gateway.callers import Caller, eventually, read_until
from tests.gateway.server import Server


@pytest.fixture
def gateway(database, gateway_settings, monkeypatch) -> Iterator[Server]:
    """A server of one test's own, to be stopped in mid-answer."""
    from accounts import versions
    from routing import runtime
    from smartoken.asgi import application

    monkeypatch.setattr(versions, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(runtime, "TICK_SECONDS", 0.05)
    server = Server(application)
    with override_settings(**gateway_settings):
        server.start()
        yield server
        server.stop()


@pytest.fixture
def http_client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(autouse=True)
def books_are_right() -> None:
    """Each test looks for itself: the server is gone when it ends."""


def drain(gateway: Server) -> None:
    get_runtime().begin_drain()
    gateway.begin_stop()


def test_an_open_answer_ends_in_its_own_time(gateway, caller, add_route, upstream, wallet):
    add_route("held")
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        drain(gateway)
        upstream.open_gate()
        read_until(lines, "[DONE]")
    gateway.stop()
    assert wallet.spent == 10_500
    assert wallet.row.held_nanos == 0


def test_new_requests_are_refused_while_open_ones_run(gateway, caller, add_route, upstream):
    add_route("held")
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        get_runtime().begin_drain()
        reply = caller.chat()
        assert (reply.status, reply.error["code"]) == (503, "shutting_down")
        assert reply.headers["x-should-retry"] == "true"
        assert caller.get("/health/ready").status == 503
        assert caller.get("/health/live").status == 200
        upstream.open_gate()
        read_until(lines, "[DONE]")


def test_what_does_not_end_in_time_is_cut_with_a_typed_error(gateway, caller, add_route, upstream, wallet, settings):
    settings.DRAIN_SECONDS = 0.2
    add_route("held")
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        drain(gateway)
        assert '"code":"shutting_down"' in read_until(lines, "error")[-1]
        assert "[DONE]" not in "".join(lines)
    gateway.stop()
    (record,) = UsageRecord.objects.filter(organization=wallet.organization)
    assert (record.ended_by, record.error_code) == ("gateway", "shutting_down")
    assert record.charge_nanos == wallet.spent > 0


def test_a_whole_answer_that_is_cut_costs_nothing(gateway, caller, add_route, upstream, wallet, settings):
    settings.DRAIN_SECONDS = 0.2
    add_route("held")
    replies = []
    thread = threading.Thread(target=lambda: replies.append(caller.chat()))
    thread.start()
    eventually(lambda: upstream.requests)
    drain(gateway)
    thread.join()
    gateway.stop()
    assert (replies[0].status, replies[0].error["code"]) == (503, "shutting_down")
    assert wallet.spent == wallet.row.held_nanos == 0


def test_its_threads_end_whatever_breaks_at_the_end(gateway, monkeypatch, caplog):
    found, threads = get_runtime(), set(threading.enumerate())
    for service in (found.watch, found.ledger, found.background):
        monkeypatch.setattr(service, "stop", stop_then_break(service.stop))
    gateway.stop()
    ours = ("ledger", "reader", "versions", "gateway")
    assert [thread.name for thread in threads if thread.is_alive() and thread.name.startswith(ours)] == []
    assert caplog.text.count("at the end: RuntimeError") == 3


def stop_then_break(stop):
    def broken():
        stop()
        raise RuntimeError

    return broken


def test_fifty_answers_all_end_and_leave_no_hold(gateway, make_caller, add_route, upstream, wallet):
    add_route("held")
    callers = [make_caller() for _ in range(50)]
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(trust_env=False, timeout=60, limits=limits) as client:
        texts = stream_in_threads([Caller(client, gateway.url, caller.secret) for caller in callers])
        eventually(lambda: len(upstream.requests) == 50)
        drain(gateway)
        upstream.open_gate()
        assert all(text.endswith("data: [DONE]\n\n") for text in texts())
    gateway.stop()
    assert wallet.spent == 50 * 10_500
    assert not Hold.objects.filter(organization=wallet.organization, state="open").exists()


def stream_in_threads(callers):
    """Start a stream of each caller; return a function that waits for their texts."""
    texts = []
    threads = [threading.Thread(target=lambda c=caller: texts.append(c.chat(stream=True).text)) for caller in callers]
    for thread in threads:
        thread.start()

    def wait():
        for thread in threads:
            thread.join()
        assert len(texts) == len(callers)
        return texts

    return wait


def test_a_request_that_the_server_gives_up_is_settled(gateway, caller, add_route, upstream, wallet):
    add_route("held")
    gateway._server.config.timeout_graceful_shutdown = 0.1
    with pytest.raises(httpx.RemoteProtocolError), caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        gateway.begin_stop()
        read_until(lines, "[DONE]")
    gateway.stop()
    (record,) = UsageRecord.objects.filter(organization=wallet.organization)
    assert record.ended_by == "gateway"
    assert record.charge_nanos == wallet.spent > 0
    assert wallet.row.held_nanos == 0
