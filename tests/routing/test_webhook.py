"""Alarms on their way to the operator's webhook."""

import json

import pytest

from billing import alarms
from routing import tasks
from routing.notices import MAX_NAME, alarm_name
from routing.outbound import OutboundError
from tests.upstream import Upstream as UpstreamServer
from tests.upstream import refused_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    made = UpstreamServer()
    made.pages["/hook"] = (204, b"")
    settings.ALARM_WEBHOOK_URL = f"{made.address}/hook"
    yield made
    made.stop()


def test_an_alarm_is_posted_once_an_hour(server):
    for _ in range(2):
        tasks.post_alarm("disk", "The disk is full.")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert {**request.body, "at": ""} == {
        "alarm": "disk",
        "text": "The disk is full.",
        "site": "http://127.0.0.1:8000",
        "at": "",
    }
    assert json.loads(request.raw)["at"].endswith("+00:00")


def test_one_that_is_not_taken_frees_the_hour(server, settings):
    taken, settings.ALARM_WEBHOOK_URL = settings.ALARM_WEBHOOK_URL, f"http://127.0.0.1:{refused_port()}"
    with pytest.raises(OutboundError, match="could not connect"):
        tasks.post_alarm.run("disk", "The disk is full.")
    settings.ALARM_WEBHOOK_URL = taken
    tasks.post_alarm("disk", "The disk is full.")
    assert len(server.requests) == 1


def test_an_address_inside_the_site_is_not_called(server, settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    with pytest.raises(OutboundError, match="not allowed"):
        tasks.post_alarm.run("disk", "The disk is full.")
    assert server.requests == []


def test_an_alarm_takes_every_way_that_is_set_up(settings, monkeypatch):
    settings.ALARM_EMAILS, settings.ALARM_WEBHOOK_URL = ["root@example.com"], "https://alarms.example.com"
    sent = []
    monkeypatch.setattr(alarms, "_queued", {})
    monkeypatch.setattr(alarms.current_app, "send_task", lambda task, arguments, **_: sent.append(task))
    alarms.alarm("disk", "The disk is full.")
    assert sent == ["billing.tasks.mail_alarm", "routing.tasks.post_alarm"]


def test_long_names_stay_apart():
    names = [alarm_name("credential_refused", f"deepseek-api-example-com-{number}") for number in range(20)]
    assert len(set(names)) == 20
    assert max(len(name) for name in names) <= MAX_NAME
