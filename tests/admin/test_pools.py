"""What an administrator can ask of a pool."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys, people
from accounts.models import User
from routing import pools
from routing.models import Pool, Route, RouteHealth, Upstream, UpstreamHealth
from tests.upstream import Upstream as UpstreamServer

pytestmark = pytest.mark.usefixtures("catalogue")


@pytest.fixture(scope="module")
def provider():
    server = UpstreamServer()
    yield server
    server.stop()


@pytest.fixture
def add_route(provider, settings):
    """Put a route into DeepSeek's pool, whose upstream behaves like this."""
    settings.ALLOW_PRIVATE_UPSTREAMS = True

    def add(behaviour="ok", **fields):
        address = f"{provider.address}/{behaviour}"
        return pools.add_upstream(family="deepseek", base_url=address, upstream_model=behaviour, **fields)

    return add


def page(name, **query):
    return reverse(
        f"admin:routing_pool_{name}", args=[Pool.objects.get(model__slug="deepseek").pk], query=query or None
    )


def test_a_pools_page_tells_how_its_routes_stand(root, add_route):
    route = add_route()
    until = timezone.now() + timedelta(minutes=5)
    UpstreamHealth.objects.create(upstream=route.upstream, failures=3, reason="no_balance", rests_until=until)
    shown = root.get(page("change")).text
    assert f"resting until {until:%H:%M:%S} UTC: no balance" in shown


def test_a_pools_page_tells_of_a_route_that_rests_alone(root, add_route):
    route = add_route()
    until = timezone.now() + timedelta(minutes=5)
    RouteHealth.objects.create(
        upstream=route.upstream, upstream_model=route.upstream_model, reason="model_unknown", rests_until=until
    )
    assert f"resting until {until:%H:%M:%S} UTC: model unknown" in root.get(page("change")).text
    root.post(page("put_back"), {"upstream": route.upstream_id})
    assert RouteHealth.objects.get().rests_until is None


def test_why_this_route_names_the_order_and_the_reasons(root, add_route):
    add_route("ok", weight=75)
    add_route("ok-tools", weight=25)
    blind = add_route("usage-null", priority=2)
    Route.objects.filter(pk=blind.pk).update(images=False)
    shown = root.get(page("why", input_tokens=1000, images="on")).text
    assert "priority 1, weight 75 of 100 among 2" in shown
    assert "it sees no images" in shown
    assert "passed over" in shown


@pytest.mark.parametrize("tokens", ["0", "many", ""])
def test_a_question_that_makes_no_sense_is_refused_at_its_field(root, tokens, add_route):
    add_route()
    shown = root.get(page("why", input_tokens=tokens))
    assert (shown.status_code, "no enabled route" in shown.text) == (400, False)


@pytest.mark.parametrize(
    ("families", "revoked", "told"),
    [([], False, "may use this model"), (["kimi"], False, "only kimi"), ([], True, "is revoked")],
)
def test_why_this_route_tells_what_a_key_may(root, add_route, families, revoked, told):
    add_route()
    member, _ = people.ensure_member(email="dev@example.com")
    key, secret = keys.create_key(
        organization=member.organization, created_by=member.user, name="Mine", families=families
    )
    if revoked:
        keys.revoke_key(key=key, actor="test")
    assert told in root.get(page("why", input_tokens=10, key=str(secret))).text
    assert "no API key that begins" in root.get(page("why", input_tokens=10, key="sk-smt-none")).text


def test_where_nothing_rests_nothing_is_put_back(root, add_route):
    UpstreamHealth.objects.create(upstream=add_route().upstream)
    assert "No upstream of this pool rests now." in root.get(page("put_back")).text


def test_a_pool_without_a_route_says_so(root, settings):
    settings.DEMO = False
    assert "no enabled route" in root.get(page("why")).text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("ok", "answered"),
        ("no-done", "answered"),
        ("refuse-402", "account there is empty"),
        ("too-long", "too long for it"),
        ("error-in-200", "it had an error"),
        ("html-200", "was not JSON"),
        ("empty-stream", "the answer was empty"),
        ("endless-line", "was too large"),
    ],
)
def test_a_test_call_shows_what_came_of_it(root, add_route, provider, behaviour, told):
    route = add_route(behaviour)
    label = f"{route.upstream.provider.slug} · {route.upstream.slug} · {behaviour}"
    provider.reset()
    assert root.get(page("test_call")).status_code == 200
    assert provider.requests == []  # asking sends nothing
    assert told in root.post(page("test_call"), {"route": label}).text
    assert len(provider.requests) == 1


def test_a_route_is_tried_before_it_is_enabled(root, add_route):
    route = add_route()
    Route.objects.update(enabled=False)
    label = f"{route.upstream.provider.slug} · {route.upstream.slug} · {route.upstream_model}"
    assert f"{label} (off)" in root.get(page("test_call")).text
    assert "Hello from upstream" in root.post(page("test_call"), {"route": label}).text


def test_a_test_call_goes_only_to_a_route_of_the_pool(root, add_route, provider):
    add_route()
    provider.reset()
    assert root.post(page("test_call"), {"route": "elsewhere"}).status_code == 400
    assert provider.requests == []


def test_a_resting_upstream_is_put_back(root, add_route):
    upstream = add_route().upstream
    UpstreamHealth.objects.create(
        upstream=upstream, failures=5, set_aside_at=timezone.now(), rests_until=timezone.now() + timedelta(hours=1)
    )
    root.get(page("put_back"))
    assert UpstreamHealth.objects.get().set_aside_at
    root.post(page("put_back"), {"upstream": upstream.pk})
    health = UpstreamHealth.objects.get()
    assert (health.set_aside_at, health.rests_until, health.failures) == (None, None, 0)


def test_staff_without_the_permission_send_and_change_nothing(add_route, db):
    add_route()
    client = Client()
    client.force_login(User.objects.create_user("staff@example.com", is_staff=True))
    for name in ("test_call", "put_back"):
        assert client.post(page(name), {"route": "x", "upstream": 1}).status_code in (302, 403)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [('{"a": "forget"}', "write keep, drop, refuse"), ('{"a": {"clamp": [2, 1]}}', "above the second"), ("{", "JSON")],
)
def test_rules_that_make_no_sense_are_refused_at_their_field(root, add_route, rules, problem):
    upstream = add_route().upstream
    fields = {"provider": upstream.provider_id, "base_url": upstream.base_url, "dialect": "openai"}
    answer = root.post(
        reverse("admin:routing_upstream_change", args=[upstream.pk]), fields | {"parameter_rules": rules}
    )
    assert problem in answer.text
    assert Upstream.objects.get().parameter_rules == {}


def test_good_rules_are_kept(root, add_route):
    upstream = add_route().upstream
    fields = {"provider": upstream.provider_id, "base_url": upstream.base_url, "dialect": "glm"}
    rules = '{"temperature": {"clamp": [0, 1]}, "seed": "drop"}'
    root.post(reverse("admin:routing_upstream_change", args=[upstream.pk]), fields | {"parameter_rules": rules})
    assert Upstream.objects.get().parameter_rules == {"temperature": {"clamp": [0, 1]}, "seed": "drop"}
