"""How the models do: only what happened, from requests and probes, in words too."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import ModelSum
from billing.sums import floor_hour
from playground import status
from playground.bars import HEIGHT, Cell, draw_bar
from routing.models import Pool, ProbeSum, Provider, Route, Upstream, UpstreamHealth

HOUR = timedelta(hours=1)


@pytest.fixture
def kimi(catalogue, settings):
    """One provider, one model, one route; nothing else is served."""
    settings.DEMO = False
    provider = Provider.objects.get(slug="moonshot")
    upstream = Upstream.objects.create(slug="one", provider=provider, base_url="https://api.example.com")
    Route.objects.create(pool=Pool.objects.get(model__slug="kimi"), upstream=upstream, upstream_model="k")
    return upstream


def add(model="kimi", *, back=HOUR, **figures):
    """Write what happened so long ago, in its hour and its day."""
    hour = floor_hour(timezone.now() - back)
    ModelSum.objects.create(span="hour", starts_at=hour, model=model, **figures)
    ModelSum.objects.create(span="day", starts_at=hour.replace(hour=0), model=model, **figures)


def read(client):
    response = client.get("/status/")
    assert response.status_code == 200
    return response.text


def test_a_site_that_serves_nothing_says_so(client, db):
    assert "No model is served on this site yet." in read(client)


def test_without_traffic_nothing_is_claimed(client, kimi):
    page = read(client)
    assert "Nothing is known of the last 24 hours" in page
    assert page.count("no traffic in this time</span>") == 2
    assert '<path class="good" d="M0 0h8v26h-8z"' not in page.split("status-list")[1]


def test_only_served_models_are_shown(client, kimi):
    add("deepseek", completed=5)
    assert re.findall(r"/models/([a-z]+)/", read(client).split("status-list")[1]) == ["kimi"]


def test_requests_give_success_and_first_token(client, kimi):
    add(completed=990, failed=10, first_token_ms=990 * 420, timed=990)
    page = read(client)
    assert ">99.0 %</b>" in page and "first token 0.42 s" in page
    assert "1 hour with traffic; failures:" in page


def test_a_request_at_fault_itself_is_no_failure(client, kimi):
    add(completed=90, failed=10, client_errors=10)
    assert ">100 %</b>" in read(client)
    assert status.describe(status.read_status()) == ("All models can be reached.", "ok")


def test_one_failure_of_many_is_not_rounded_away(kimi):
    add(completed=99_999, failed=1)
    assert status.read_status()[0].day.success_percent == "99.9 %"


def test_a_rate_of_few_requests_says_so(client, kimi):
    add(completed=3)
    assert "of few requests" in read(client)


def test_probes_stand_where_there_was_no_traffic(client, kimi):
    hour = floor_hour(timezone.now())
    ProbeSum.objects.create(span="hour", starts_at=hour, upstream=kimi, answered=11, failed=1)
    page = read(client)
    assert "no traffic in this time, only probes" in page
    assert "1 hour with probes only" in page and "8 % failed" in page


def test_a_resting_provider_is_named(client, kimi):
    UpstreamHealth.objects.create(upstream=kimi, rests_until=timezone.now() + timedelta(seconds=90))
    page = read(client)
    assert "No model can be reached now" in page
    assert re.search(rf"{kimi.provider.name}: cooling down for (89|90)&nbsp;s", page)


def test_a_rest_beside_a_healthy_route_leaves_the_model_reachable(kimi):
    other = Upstream.objects.create(slug="two", provider=kimi.provider, base_url="https://b.example.com")
    Route.objects.create(pool=Pool.objects.get(model__slug="kimi"), upstream=other, upstream_model="k")
    UpstreamHealth.objects.create(upstream=kimi, set_aside_at=timezone.now())
    sentence, state = status.describe(status.read_status())
    assert sentence.startswith("All models can be reached.") and state == "warn"


def test_failures_of_this_hour_are_in_the_sentence(kimi):
    add(back=timedelta(), completed=5, failed=5)
    assert "requests to Kimi have failed within the hour" in status.describe(status.read_status())[0]


def test_the_page_reads_few_rows_and_asks_little(client, kimi, django_assert_max_num_queries):
    for number in range(90):
        add(back=number * HOUR * 24, completed=5)
    with django_assert_max_num_queries(12):
        read(client)


def test_a_failure_is_drawn_as_high_as_its_share():
    bar = draw_bar([Cell(completed=3, failed=1), Cell(failed=2), Cell()], names=["1:00", "2:00", "3:00"], unit="hour")
    assert bar.bad == f"M0 0h8v6h-8zM11 0h8v{HEIGHT}h-8z"
    assert bar.good == "M0 7h8v19h-8z"
    assert bar.idle == "M22 24h8v2h-8z"
    assert bar.label == "2 hours with traffic; failures: 1:00 25 % failed, 2:00 100 % failed."
