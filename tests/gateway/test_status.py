"""What the status page says of requests that a provider really answered, refused or failed."""

from datetime import timedelta

from billing import rollups
from playground import status
from routing.models import Route
from tests.gateway.conftest import in_force


def answer_by(behaviour):
    Route.objects.update(upstream_model=behaviour)
    in_force()


def test_failures_of_the_provider_count_and_those_of_the_request_do_not(caller, add_route, monkeypatch):
    monkeypatch.setattr(rollups, "LAG", timedelta(0))
    add_route("ok")
    assert caller.chat(stream=True).is_done
    answer_by("too-long")
    assert caller.chat().status == 400
    answer_by("error-in-200")
    assert caller.chat().status >= 500
    assert caller.chat(model="kimi").headers["x-smartoken-demo"] == "true"
    rollups.roll_up()
    day = {each.row.model.slug: each.day for each in status.read_status()}
    assert day["deepseek"].ended == 2
    assert day["deepseek"].success_percent == "50.0 %" and day["deepseek"].first_token_seconds
    assert day["kimi"].is_empty
