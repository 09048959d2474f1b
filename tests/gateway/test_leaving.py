"""Clients that leave are charged by the rule, and leave no hold behind."""

import socket

import pytest

from routing import gateway as journeys
from routing import patience
from routing.runtime import get_runtime
from tests.gateway.callers import RawClient, eventually, find_record, read_until


@pytest.fixture
def impatient(monkeypatch):
    """Wait less for a provider's count than production does."""
    monkeypatch.setattr(journeys, "USAGE_PATIENCE_SECONDS", 0.2)


def running():
    return list(get_runtime().journeys)


def only_record(wallet):
    from billing.models import UsageRecord

    return eventually(lambda: UsageRecord.objects.filter(organization=wallet.organization).first())


def test_leaving_before_content_costs_nothing(impatient, caller, add_route, upstream, wallet):
    add_route("slow")
    client = RawClient(caller, stream=True)
    eventually(lambda: upstream.requests)
    client.close()
    record = only_record(wallet)
    assert (record.status, record.ended_by, record.charge_nanos) == ("aborted", "client", 0)
    assert wallet.row.held_nanos == 0
    assert upstream.requests[0].closed.wait(5)


def test_leaving_before_content_is_charged_if_the_provider_counts_it(caller, add_route, upstream, wallet):
    add_route("slow")
    client = RawClient(caller, stream=True)
    eventually(lambda: upstream.requests)
    client.close()
    eventually(lambda: all(journey._client.has_left for journey in running()))
    upstream.open_gate()
    record = only_record(wallet)
    assert (record.ended_by, record.count_source, record.charge_nanos) == ("client", "provider", 10_500)


def test_leaving_in_mid_stream_is_charged_for_what_was_delivered(impatient, caller, add_route, upstream, wallet):
    add_route("held")
    with caller.streaming() as response:
        read_until(response.iter_lines(), "Hello")
        request_id = response.headers["x-request-id"]
    record = find_record(request_id)
    assert (record.status, record.ended_by, record.count_source) == ("aborted", "client", "estimate")
    assert record.output_tokens == 1
    assert record.charge_nanos == wallet.spent > 0
    assert upstream.requests[0].closed.wait(5)


def test_leaving_in_mid_stream_is_charged_by_the_providers_count_if_it_comes(caller, add_route, upstream, wallet):
    add_route("held")
    with caller.streaming() as response:
        read_until(response.iter_lines(), "Hello")
        request_id = response.headers["x-request-id"]
    eventually(lambda: all(journey._client.has_left for journey in running()))
    upstream.open_gate()
    record = find_record(request_id)
    assert (record.ended_by, record.count_source, record.charge_nanos) == ("client", "provider", 10_500)


def blocked():
    import time

    since = [journey._client.blocked_since for journey in running()]
    return since and all(at and time.monotonic() - at > 0.2 for at in since)


def test_leaving_while_send_is_blocked_is_charged_for_what_was_taken(impatient, caller, add_route, upstream, wallet):
    add_route("endless")
    client = RawClient(caller, stream=True)
    request_id = client.read_head()
    eventually(blocked)
    client.close()
    record = find_record(request_id)
    assert (record.status, record.ended_by) == ("aborted", "client")
    assert record.charge_nanos == wallet.spent > 0
    assert upstream.requests[0].closed.wait(5)


def test_a_client_that_never_reads_is_given_up(caller, add_route, upstream, wallet, settings):
    settings.CLIENT_STALL_SECONDS = 0.5
    add_route("endless")
    client = RawClient(caller, stream=True)
    request_id = client.read_head()
    record = find_record(request_id)
    assert record.ended_by == "client"
    assert wallet.spent == record.charge_nanos > 0
    assert upstream.requests[0].closed.wait(5)
    client.close()


def test_a_blocked_client_holds_the_provider_back(impatient, caller, add_route, upstream):
    add_route("endless")
    client = RawClient(caller, stream=True)
    client.read_head()
    eventually(blocked)
    assert not upstream.requests[0].closed.is_set()
    client.close()


def upstream_connections():
    """Return the connections to upstreams on which an answer is being read."""
    sessions = get_runtime().upstreams._sessions.values()
    return [connection for session in sessions for connection in session.connector._acquired]


def test_a_client_that_does_not_read_costs_256_kilobytes_at_most(impatient, caller, add_route):
    add_route("endless")
    client = RawClient(caller, stream=True)
    client.read_head()
    eventually(blocked)
    eventually(lambda: all(connection._reading_paused for connection in upstream_connections()))
    [journey], [connection] = running(), upstream_connections()
    unsent = journey._client._send.__self__.transport.get_write_buffer_size()
    unread = connection._payload._size
    client.close()
    assert 0 < unsent + unread <= 256 * 1024


def test_leaving_a_whole_answer_reads_it_to_its_end(caller, add_route, upstream, wallet):
    add_route("held")
    client = RawClient(caller)
    eventually(lambda: upstream.requests)
    client.close()
    eventually(lambda: all(journey._client.has_left for journey in running()))
    upstream.open_gate()
    record = only_record(wallet)
    assert (record.ended_by, record.count_source, record.charge_nanos) == ("client", "provider", 10_500)


def test_no_more_whole_answers_than_so_many_are_read_for_nobody(
    impatient, monkeypatch, caller, add_route, upstream, wallet
):
    monkeypatch.setattr(journeys, "MAX_DRAINS", 0)
    add_route("held")
    client = RawClient(caller)
    eventually(lambda: upstream.requests)
    client.close()
    record = only_record(wallet)
    assert (record.status, record.ended_by, record.charge_nanos) == ("aborted", "client", 0)
    assert upstream.requests[0].closed.wait(5)


def test_leaving_does_not_hang_up_on_a_provider_that_bills_on(caller, add_route, upstream, wallet):
    add_route("held", bills_after_abort=True)
    with pytest.MonkeyPatch.context() as patch, caller.streaming() as response:
        patch.setattr(journeys, "USAGE_PATIENCE_SECONDS", 0.05)
        read_until(response.iter_lines(), "Hello")
        request_id = response.headers["x-request-id"]
        response.close()
        assert not upstream.requests[0].closed.wait(0.3)
    upstream.open_gate()
    assert find_record(request_id).count_source == "provider"


def test_a_provider_that_bills_on_is_read_to_its_very_end(caller, add_route, upstream, wallet):
    add_route("usage-growing", bills_after_abort=True)
    with caller.streaming() as response:
        read_until(response.iter_lines(), "Hello")
        request_id = response.headers["x-request-id"]
    eventually(lambda: get_runtime().drains)
    upstream.open_gate()
    assert find_record(request_id).output_tokens == 6


def has_comment_under_way():
    comments = [journey._client._comment for journey in running() if journey._progress.has_content]
    return any(comment is not None and not comment.done() for comment in comments)


def test_a_client_that_does_not_even_take_a_comment_is_given_up(
    caller, add_route, upstream, wallet, settings, monkeypatch
):
    monkeypatch.setattr(patience, "COMMENT_SECONDS", 0.1)
    settings.CLIENT_STALL_SECONDS, settings.IDLE_SECONDS = 0.3, 3
    add_route("burst")
    client = RawClient(caller, stream=True)
    request_id = client.read_head()
    eventually(has_comment_under_way)
    upstream.open_gate()
    record = find_record(request_id)
    assert (record.status, record.ended_by) == ("aborted", "client")
    client.close()


def test_leaving_in_the_middle_of_the_body_costs_nothing(caller, add_route, wallet, gateway):
    add_route("ok")
    client = socket.create_connection(("127.0.0.1", gateway.port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {caller.secret}\r\n"
    client.sendall(head.encode() + b'content-length: 1000\r\n\r\n{"model":')
    client.close()
    assert caller.chat().status == 200
    assert wallet.spent == 10_500


def test_leaving_between_routes_stops_the_search(caller, add_route, upstream, wallet, settings):
    settings.FIRST_BYTE_SECONDS = 0.3
    add_route("silent", family="zhinao", priority=1)
    add_route("ok", family="zhinao", priority=2)
    client = RawClient(caller, model="zhinao", stream=True)
    eventually(lambda: upstream.requests)
    client.close()
    record = only_record(wallet)
    assert (record.ended_by, record.charge_nanos) == ("client", 0)
    assert len(upstream.requests) == 1


def test_fifty_clients_that_leave_leave_nothing_open(impatient, caller, add_route, upstream, wallet):
    add_route("held")
    clients = [RawClient(caller, stream=True, max_tokens=10) for _ in range(50)]
    for client in clients:
        client.read_head()
    for client in clients:
        client.close()
    eventually(lambda: wallet.row.held_nanos == 0 and wallet.spent > 0)
