import logging

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.models import Price
from routing import credentials
from routing.models import Model, Pool, Provider, Route, Upstream
from routing.pools import add_upstream

CANARY = "sk-canary-7f3a"
pytestmark = pytest.mark.usefixtures("catalogue")


def upstream_fields(**changes):
    fields = {"slug": "mine", "base_url": "https://api.example.com/v1/", "dialect": "openai", "credential_env": ""}
    return fields | {"provider": Provider.objects.first().pk, "proxy": "", "new_credential": ""} | changes


def route_fields(pool, upstream, **changes):
    route = {"pool": pool.pk, "id": "", "upstream": upstream.pk, "upstream_model": "m", "priority": 1, "weight": 100}
    route |= {"enabled": "on"} | changes
    management = {"routes-TOTAL_FORMS": 1, "routes-INITIAL_FORMS": 0}
    return management | {f"routes-0-{name}": value for name, value in route.items()}


def test_an_upstream_is_added_with_a_credential(root):
    assert root.post(reverse("admin:routing_upstream_add"), upstream_fields(new_credential=CANARY)).status_code == 302
    upstream = Upstream.objects.get()
    assert upstream.base_url == "https://api.example.com/v1"
    assert credentials.read_credential(upstream) == CANARY


def test_a_credential_appears_in_no_page_log_or_error(root, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    root.post(reverse("admin:routing_upstream_add"), upstream_fields(new_credential=CANARY))
    upstream = Upstream.objects.get()
    url = reverse("admin:routing_upstream_change", args=[upstream.pk])
    pages = [root.get(url), root.post(url, upstream_fields(base_url="nonsense", new_credential=CANARY))]
    urls = [reverse(f"admin:routing_upstream_{name}", args=[upstream.pk]) for name in ("history", "delete")]
    pages += [root.get(url, follow=True) for url in urls]  # the first leads to the audit log
    pages.append(root.get(reverse("admin:routing_upstream_changelist")))
    assert all(page.status_code == 200 for page in pages)
    shown = "".join(page.content.decode() for page in pages) + caplog.text + "".join(capsys.readouterr())
    shown += repr(upstream) + repr(credentials.read_credential(upstream)) + repr(list(LogEntry.objects.values()))
    assert CANARY not in shown
    assert bytes(upstream.credential).decode() not in shown
    assert "stored" in pages[0].content.decode()


def test_an_empty_field_keeps_the_credential_and_a_switch_forgets_it(root):
    upstream = add_upstream(
        family="kimi", base_url="https://api.example.com", upstream_model="m", credential=CANARY
    ).upstream
    url = reverse("admin:routing_upstream_change", args=[upstream.pk])
    assert root.post(url, upstream_fields()).status_code == 302
    assert credentials.read_credential(Upstream.objects.get()) == CANARY
    assert root.post(url, upstream_fields(forget_credential="on")).status_code == 302
    assert credentials.read_credential(Upstream.objects.get()) is None


def test_a_credential_needs_a_recent_sign_in_and_waits_in_no_session(db, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    upstream = add_upstream(family="kimi", base_url="https://a.com", upstream_model="m", credential="first").upstream
    url = reverse("admin:routing_upstream_change", args=[upstream.pk])
    client = Client()
    client.force_login(User.objects.create_superuser("boss@example.com", "a pass phrase"))
    for given in ({"new_credential": CANARY}, {"forget_credential": "on"}):
        answer = client.post(url, upstream_fields(**given))
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
        assert CANARY not in str(dict(client.session))
    assert credentials.read_credential(Upstream.objects.get()) == "first"
    assert client.post(url, upstream_fields()).headers["Location"] == reverse("admin:routing_upstream_changelist")


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "http://127.0.0.1/v1"},
        {"base_url": "http://169.254.169.254"},
        {"base_url": "https://user:pass@a.com"},
        {"credential_env": "SECRET_KEY"},
        {"new_credential": "a\u0000b"},
        {"proxy": "nonsense"},
        {"dialect": "x"},
    ],
)
def test_a_senseless_upstream_is_refused(root, wrong, settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    assert root.post(reverse("admin:routing_upstream_add"), upstream_fields(**wrong)).status_code == 200
    assert not Upstream.objects.exists()


def test_a_host_name_without_dots_is_fine(root):
    given = upstream_fields(base_url="http://vllm:8000/v1")
    assert root.post(reverse("admin:routing_upstream_add"), given).status_code == 302


def test_a_route_is_put_into_a_pool(root):
    pool = Pool.objects.get(model__slug="qwen")
    upstream = add_upstream(family="kimi", base_url="https://a.com", upstream_model="m").upstream
    url = reverse("admin:routing_pool_change", args=[pool.pk])
    assert root.post(url, route_fields(pool, upstream, priority=2)).status_code == 302
    route = pool.routes.get()
    assert (route.priority, route.weight, route.enabled, route.tools) == (2, 100, True, False)
    assert f"/upstream/{upstream.pk}/" in root.get(url).content.decode()


def test_a_route_keeps_what_its_provider_asks(root):
    pool = Pool.objects.get(model__slug="qwen")
    upstream = add_upstream(family="kimi", base_url="https://a.com", upstream_model="m").upstream
    url = reverse("admin:routing_pool_change", args=[pool.pk])
    asked = {"cost_input": "2", "cost_cached": "", "cost_output": "8.25", "cost_currency": "cny"}
    assert root.post(url, route_fields(pool, upstream, **asked)).status_code == 302
    route = pool.routes.get()
    assert (route.cost_input_micros, route.cost_cached_micros, route.cost_output_micros) == (2_000_000, None, 8_250_000)
    assert route.cost_currency == "CNY"
    page = root.get(url).content.decode()
    assert 'value="8.25"' in page


@pytest.mark.parametrize(
    "wrong",
    [{"cost_input": "1"}, {"cost_output": "x"}, {"cost_input": "1", "cost_output": "1", "cost_currency": "€€€"}],
)
def test_a_senseless_cost_is_refused(root, wrong):
    pool = Pool.objects.get(model__slug="qwen")
    upstream = add_upstream(family="kimi", base_url="https://a.com", upstream_model="m").upstream
    url = reverse("admin:routing_pool_change", args=[pool.pk])
    assert root.post(url, route_fields(pool, upstream, **wrong)).status_code == 200
    assert not pool.routes.exists()


@pytest.mark.parametrize("wrong", [{"priority": 0}, {"weight": 40000}, {"weight": -1}, {"upstream_model": " "}])
def test_a_senseless_route_is_refused(root, wrong):
    pool = Pool.objects.get(model__slug="qwen")
    upstream = add_upstream(family="kimi", base_url="https://a.com", upstream_model="m").upstream
    url = reverse("admin:routing_pool_change", args=[pool.pk])
    assert root.post(url, route_fields(pool, upstream, **wrong)).status_code == 200
    assert not pool.routes.exists()


def test_a_new_model_gets_its_pool(root):
    given = {"public_id": "kimi-fast", "family": Model.objects.get(slug="kimi").family_id, "tokens_per_byte_bound": 1}
    given |= {"context_length": 1000, "max_output_tokens": 500, "default_output_tokens": 500}
    given |= {"aliases-TOTAL_FORMS": 0, "aliases-INITIAL_FORMS": 0}
    assert root.post(reverse("admin:routing_model_add"), given).status_code == 302
    assert Pool.objects.filter(model__slug="kimi-fast").exists()
    assert root.post(reverse("admin:routing_model_add"), given).status_code == 200


@pytest.mark.parametrize("table", ["family", "model", "pool"])
def test_what_charges_name_is_kept_and_the_reason_said(root, table):
    model = Model.objects.get(slug="kimi")
    row = {"family": model.family, "model": model, "pool": model.pool}[table]
    answer = root.post(reverse(f"admin:routing_{table}_delete", args=[row.pk]), {"post": "yes"}, follow=True)
    assert answer.status_code == 200
    assert "isable" in answer.content.decode()
    assert type(row).objects.filter(pk=row.pk).exists()


def test_an_unused_model_can_go(root):
    Price.objects.filter(model="kimi").delete()
    model = Model.objects.get(slug="kimi")
    assert root.post(reverse("admin:routing_model_delete", args=[model.pk]), {"post": "yes"}).status_code == 302
    assert not Model.objects.filter(slug="kimi").exists()


def test_a_provider_with_upstreams_is_kept(root):
    upstream = add_upstream(family="kimi", base_url="https://a.com", upstream_model="m").upstream
    url = reverse("admin:routing_provider_delete", args=[upstream.provider_id])
    assert "protected" in root.get(url).content.decode()
    assert root.post(url, {"post": "yes"}).status_code in (200, 302, 403)
    assert Provider.objects.filter(pk=upstream.provider_id).exists()


def test_deleting_an_upstream_takes_its_routes(root):
    upstream = add_upstream(family="kimi", base_url="https://a.com", upstream_model="m").upstream
    assert root.post(reverse("admin:routing_upstream_delete", args=[upstream.pk]), {"post": "yes"}).status_code == 302
    assert not Route.objects.exists()
