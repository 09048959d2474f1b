"""Probes: asked for where there is no traffic; what they find is what health goes by."""

from datetime import timedelta

import pytest
from django.utils import timezone

from routing import tasks
from routing.models import ProbeSum, Provider, Upstream, UpstreamHealth
from tests.upstream import Upstream as UpstreamServer

pytestmark = pytest.mark.django_db
GOOD = (200, b'{"data": []}')


@pytest.fixture
def server(settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    made = UpstreamServer()
    yield made
    made.stop()


@pytest.fixture
def told(monkeypatch):
    names = []
    monkeypatch.setattr("routing.notices.alarm", lambda name, text: names.append(name))
    return names


@pytest.fixture
def upstream(server, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "sk-canary-7f3a")
    return Upstream.objects.create(
        slug="one",
        provider=Provider.objects.create(slug="p", name="P"),
        base_url=server.address,
        is_probed=True,
        credential_env="SOME_API_KEY",
    )


def probe(server, page):
    server.pages["/models"] = page
    tasks.probe_upstreams()
    return UpstreamHealth.objects.get()


def test_a_success_ends_a_rest(server, upstream):
    later = timezone.now() + timedelta(minutes=5)
    UpstreamHealth.objects.create(upstream=upstream, failures=4, reason="server_error", rests_until=later)
    health = probe(server, GOOD)
    assert (health.failures, health.reason, health.rests_until, health.probe_problem) == (0, "", None, "")
    assert health.probed_at


def test_a_third_failure_begins_a_rest(server, upstream):
    for rests in (False, False, True):
        health = probe(server, (503, b"later"))
        assert bool(health.rests_until) is rests
    assert health.probe_problem == "status 503: it has too much to do"


def test_a_credential_refused_twice_is_set_aside_and_told(server, upstream, told):
    for _ in range(2):
        health = probe(server, (401, b'{"error": {"message": "canary"}}'))
    assert health.set_aside_at
    assert told == ["credential_refused one", "set_aside one"]
    assert probe(server, GOOD).set_aside_at  # a list of models may be public


def test_a_provider_without_a_list_of_models_is_not_at_fault(server, upstream, told):
    health = probe(server, (404, b""))
    assert (health.failures, health.probe_problem) == (0, "status 404: it does not know the model")
    assert told == []


def test_a_list_of_models_that_lies_elsewhere_is_found(server, upstream):
    Upstream.objects.update(dialect="longcat", base_url=f"{server.address}/openai/v1")
    server.pages["/v1/models"] = GOOD
    tasks.probe_upstreams()
    assert [request.path for request in server.requests] == ["/v1/models"]


def test_a_page_instead_of_a_list_is_a_failure(server, upstream):
    assert probe(server, (200, b"<html>")).probe_problem == "its answer was not JSON"


def test_a_credential_that_is_missing_is_no_failure_of_the_upstream(server, upstream, monkeypatch):
    monkeypatch.delenv("SOME_API_KEY")
    health = probe(server, GOOD)
    assert (health.failures, health.probe_problem) == (0, "this site has no credential for it")
    assert server.requests == []


def test_nobody_is_probed_who_is_not_to_be(server, upstream):
    Upstream.objects.update(is_probed=False)
    tasks.probe_upstreams()
    assert server.requests == []


def test_each_probe_is_counted_in_its_hour_and_day(server, upstream):
    for page in (GOOD, GOOD, (503, b"later")):
        probe(server, page)
    assert set(ProbeSum.objects.values_list("span", "answered", "failed")) == {("hour", 2, 1), ("day", 2, 1)}


def test_old_hours_of_probes_are_forgotten_their_days_stay(server, upstream):
    probe(server, GOOD)
    tasks.forget_hours()
    assert ProbeSum.objects.count() == 2
    ProbeSum.objects.update(starts_at=timezone.now() - timedelta(days=31))
    tasks.forget_hours()
    assert ProbeSum.objects.get().span == "day"
