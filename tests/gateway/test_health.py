"""Rests, credentials that are set aside, retries and slow upstreams, over the running gateway."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from billing import alarms
from routing import failover, probes, sharing, standing
from routing.dialects.meanings import POLICIES, Meaning
from routing.models import RouteHealth, Upstream, UpstreamHealth
from tests.gateway.callers import eventually
from tests.gateway.conftest import in_force


def outcomes(record):
    return [(attempt["outcome"], attempt["reason"]) for attempt in record.attempts]


def row_of(route):
    return UpstreamHealth.objects.filter(upstream=route.upstream_id).first()


def give(route, **fields):
    Upstream.objects.filter(pk=route.upstream_id).update(**fields)
    in_force()


@pytest.fixture
def short_rests(monkeypatch):
    """The first rest of a refused credential is over before a test can look."""
    policy = replace(POLICIES[Meaning.BAD_CREDENTIAL], rest_seconds=0.001)
    monkeypatch.setitem(POLICIES, Meaning.BAD_CREDENTIAL, policy)


@pytest.fixture
def told(monkeypatch):
    """The names of the alarms that were raised."""
    names = []
    monkeypatch.setattr("routing.notices.alarm", lambda name, text: names.append((name, text)))
    return names


# --- rests --------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["refuse-402", "refuse-429", "refuse-401", "refuse-403"])
def test_what_will_not_pass_by_itself_rests_at_once(caller, add_route, behaviour):
    add_route(behaviour, priority=1)
    add_route("ok", priority=2)
    caller.chat()
    assert outcomes(caller.chat().record) == [("skipped", "cooldown"), ("answered", "")]


@pytest.mark.parametrize("behaviour", ["html-200", "empty-stream", "end-mid-stream", "no-choices"])
def test_an_upstream_whose_answers_are_none_rests_like_any_that_fails(caller, add_route, behaviour):
    add_route(behaviour, priority=1)
    add_route("ok", priority=2)
    for _ in range(3):
        caller.chat(stream=behaviour != "no-choices")
    assert outcomes(caller.chat().record) == [("skipped", "cooldown"), ("answered", "")]


def test_an_unknown_model_rests_its_route_and_not_the_upstream(caller, add_route, upstream):
    address = f"{upstream.address}/shared"
    add_route("refuse-404", base_url=address, priority=1)
    add_route("ok", base_url=address, priority=2)
    caller.chat()
    assert outcomes(caller.chat().record) == [("skipped", "cooldown"), ("answered", "")]


def test_a_routes_rest_is_written_and_can_be_put_back(caller, add_route):
    route = add_route("refuse-404")
    caller.chat()
    row = eventually(lambda: RouteHealth.objects.filter(upstream=route.upstream_id).first())
    assert (row.upstream_model, row.failures, row.reason) == ("refuse-404", 1, "model_unknown")
    in_force()
    assert caller.chat().error["code"] == "no_healthy_route"
    standing.put_back(upstream=route.upstream, actor="test")
    in_force()
    assert caller.chat().error["code"] == "upstream_error"


def test_a_routes_rest_that_another_process_wrote_is_in_force(caller, add_route):
    route = add_route("ok")
    rests_until = timezone.now() + timedelta(minutes=1)
    RouteHealth.objects.create(upstream=route.upstream, upstream_model="ok", failures=1, rests_until=rests_until)
    in_force()
    assert caller.chat().error["code"] == "no_healthy_route"


def test_a_rest_is_written_and_a_success_ends_it(caller, add_route):
    route = add_route("refuse-402")
    caller.chat()
    row = eventually(lambda: row_of(route))
    assert (row.failures, row.reason) == (1, "no_balance")
    assert timedelta(minutes=4) < row.rests_until - timezone.now() <= timedelta(minutes=5)


def test_a_rest_that_somebody_wrote_is_in_force(caller, add_route):
    route = add_route("ok")
    rests_until = timezone.now() + timedelta(minutes=1)
    UpstreamHealth.objects.create(upstream=route.upstream, failures=1, reason="no_balance", rests_until=rests_until)
    in_force()
    assert caller.chat().error["code"] == "no_healthy_route"
    standing.put_back(upstream=route.upstream, actor="test")
    in_force()
    assert caller.chat().status == 200


def test_a_balance_that_is_written_ends_no_rest(caller, add_route):
    route = add_route("refuse-402")
    caller.chat()
    eventually(lambda: row_of(route))
    UpstreamHealth.objects.filter(upstream=route.upstream_id).update(balance=1)
    in_force()
    assert caller.chat().status == 503


def test_a_database_that_is_away_changes_nothing(caller, add_route, monkeypatch):
    def refuse(standings):
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(sharing, "write_standings", refuse)
        route = add_route("refuse-402")
        caller.chat()
        assert caller.chat().error["code"] == "no_healthy_route"
        assert row_of(route) is None
    assert eventually(lambda: row_of(route)).reason == "no_balance"


@pytest.mark.parametrize("words", ["insufficient balance", "Model Not Exist"])
def test_a_client_can_not_speak_for_a_provider(caller, add_route, told, words):
    route = add_route("echo-400", dialect="deepseek")
    for _ in range(3):
        caller.chat(messages=[{"role": "user", "content": words}])
    assert outcomes(caller.chat().record) == [("failed", "refused")]
    assert (row_of(route), told) == (None, [])


# --- credentials ----------------------------------------------------------------


@pytest.mark.usefixtures("short_rests")
def test_a_credential_refused_twice_is_set_aside_until_it_changes(caller, add_route, upstream, told, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "old")
    route = add_route("refuse-401", priority=1)
    add_route("ok", priority=2)
    give(route, credential_env="SOME_API_KEY")
    for _ in range(2):
        eventually(lambda: caller.chat().record.attempts[0]["outcome"] == "failed")
    assert outcomes(caller.chat().record) == [("skipped", "credential_set_aside"), ("answered", "")]
    assert eventually(lambda: getattr(row_of(route), "set_aside_at", None))
    eventually(lambda: any("set aside" in text for _, text in told))
    monkeypatch.setenv("SOME_API_KEY", "new")
    assert outcomes(caller.chat().record)[0] == ("failed", "credential_refused")
    assert "old" not in str(told)


def test_a_credential_that_is_set_aside_can_be_put_back(caller, add_route):
    route = add_route("ok")
    UpstreamHealth.objects.create(upstream=route.upstream, refused_credentials=2, set_aside_at=timezone.now())
    in_force()
    assert caller.chat().error["code"] == "no_healthy_route"
    standing.put_back(upstream=route.upstream, actor="test")
    in_force()
    assert caller.chat().status == 200


def test_an_unknown_model_in_a_401_sets_no_credential_aside(caller, add_route, told):
    route = add_route("invalid-model")
    give(route, dialect="ernie")
    reply = caller.chat()
    assert outcomes(reply.record)[0] == ("failed", "model_unknown")
    eventually(lambda: told)
    assert row_of(route) is None
    assert "canary" not in reply.text + str(told)


@pytest.mark.parametrize(
    ("behaviour", "fields", "words"),
    [
        ("ok", {"credential_env": "NOT_SET_ANYWHERE"}, "is not set in a gateway process"),
        ("ok", {"credential": b"sealed by another key"}, "can't read"),
        ("redirect", {}, "answers with a redirect"),
    ],
)
def test_what_only_the_operator_can_mend_is_told(caller, add_route, told, behaviour, fields, words):
    route = add_route(behaviour, priority=1)
    add_route("ok", priority=2)
    give(route, **fields)
    assert caller.chat().status == 200
    [(_, text)] = eventually(lambda: told)
    assert route.upstream.slug in text
    assert words in text


# --- once more --------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_the_last_route_is_tried_once_more(caller, add_route, wallet, stream):
    add_route("fail-once")
    reply = caller.chat(stream=stream)
    assert reply.content == "Hello from upstream"
    assert outcomes(reply.record) == [("failed", "provider_overloaded"), ("answered", "retry")]
    assert reply.record.attempts[1]["ms"] >= 200
    assert wallet.spent == reply.record.charge_nanos == 10_500


def test_it_is_tried_only_twice(caller, add_route, upstream):
    add_route("refuse-503")
    reply = caller.chat()
    assert (reply.status, len(upstream.requests)) == (503, 2)
    assert [attempt.get("is_retry", False) for attempt in reply.record.attempts] == [False, True]


def test_another_route_comes_before_a_second_try(caller, add_route, upstream):
    add_route("fail-once", priority=1)
    add_route("ok", priority=2)
    assert outcomes(caller.chat().record) == [("failed", "provider_overloaded"), ("answered", "")]


@pytest.mark.parametrize("behaviour", ["refuse-400", "refuse-402", "refuse-429", "break-mid-stream", "error-in-stream"])
def test_nothing_else_is_tried_again(caller, add_route, upstream, behaviour):
    add_route(behaviour)
    caller.chat(stream=True)
    assert len(upstream.requests) == 1


def test_the_time_of_an_answer_ends_the_pause_too(caller, add_route, settings, monkeypatch):
    monkeypatch.setattr(failover, "PAUSE_SECONDS", (30, 30))
    settings.ANSWER_SECONDS = 0.3
    add_route("fail-once")
    reply = caller.chat()
    assert reply.error["code"] == "upstream_timeout"
    assert outcomes(reply.record)[1] == ("interrupted", "deadline")


# --- slow ---------------------------------------------------------------------------


def test_a_slow_upstream_is_left_when_it_says_so_and_another_is_there(caller, add_route):
    slow = add_route("silent", priority=1)
    add_route("ok", priority=2)
    give(slow, first_byte_seconds=1)
    record = caller.chat(stream=True).record
    assert outcomes(record) == [("failed", "first_byte"), ("answered", "")]
    assert record.attempts[0]["cost"] == "unknown"


# --- probes ---------------------------------------------------------------------------


def test_an_upstream_with_traffic_is_not_probed(caller, add_route, upstream):
    route = add_route("ok")
    give(route, is_probed=True)
    assert caller.chat().record.upstream == route.upstream.slug
    probes.probe_quiet()
    assert [request.method for request in upstream.requests] == ["POST"]


def test_a_probe_that_is_answered_ends_a_rest_in_the_gateway(caller, add_route, upstream):
    route = add_route("refuse-402")
    caller.chat()
    eventually(lambda: row_of(route))
    give(route, is_probed=True)
    upstream.pages["/models"] = (200, b"{}")
    assert probes.probe(upstream=route.upstream)
    in_force()
    assert caller.chat().record.attempts[0]["reason"] == "no_balance"


# --- what the client reads ---------------------------------------------------------------


def test_a_refusal_names_the_parameter_and_not_the_providers_words(caller, add_route):
    add_route("bad-top-p")
    reply = caller.chat(top_p=1)
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "invalid_request", "top_p")
    assert "`top_p`" in reply.error["message"]
    assert "canary" not in reply.text
    assert "canary" in reply.record.attempts[0]["provider_message"]


def test_of_two_failures_the_one_that_the_client_can_mend_is_told(caller, add_route):
    add_route("too-long", priority=1, context_length=1000)
    add_route("refuse-500", priority=2)
    assert caller.chat().error["code"] == "context_length_exceeded"


def test_alarms_tell_of_an_upstream_once_an_hour(caller, add_route, settings, monkeypatch):
    sent = []
    settings.ALARM_EMAILS = ["root@example.com"]
    monkeypatch.setattr(alarms, "_queued", {})
    monkeypatch.setattr(alarms.current_app, "send_task", lambda task, arguments, **_: sent.append(arguments))
    route = add_route("refuse-404")
    caller.chat()
    eventually(lambda: sent)
    standing.put_back(upstream=route.upstream, actor="test")
    in_force()
    caller.chat()
    add_route("refuse-402")
    eventually(lambda: caller.chat() and len(sent) == 2)
    assert route.upstream.slug in sent[0][1]
