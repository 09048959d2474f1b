import json
import tomllib
from decimal import Decimal

import pytest

from billing.models import Price
from billing.pricing import current_prices, set_price
from routing.catalog import FOLDER, load_families
from routing.catalog.loader import load_catalog
from routing.checks import PoolError
from routing.models import Alias, Family, Model, Pool, Provider, Route, Upstream

pytestmark = pytest.mark.django_db
CANARY = "sk-canary-7f3a"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for family in load_families():
        monkeypatch.delenv(family.upstream.credential_env, raising=False)
        monkeypatch.delenv(family.upstream.base_url_env, raising=False)


@pytest.fixture
def loaded():
    load_catalog()


def test_it_knows_17_families_in_their_order():
    families = load_families()
    assert len(families) == 17
    assert [family.position for family in families] == list(range(1, 18))
    assert len({family.upstream.credential_env for family in families}) == 17


def test_an_answer_fits_into_its_context():
    for family in load_families():
        model = family.model
        assert 0 < model.default_output_tokens <= model.max_output_tokens <= model.context_length


def test_every_file_names_only_what_is_read():
    for path in FOLDER.glob("*.toml"):
        assert {"model", "upstream", "name", "position"} <= tomllib.loads(path.read_text()).keys()


def test_prices_are_the_catalogues(loaded):
    prices = current_prices()
    for family in load_families():
        price = prices[family.model.slug]
        assert Decimal(price.input_micros) / 10**6 == Decimal(family.model.input_usd)
        assert price.cached_micros == price.input_micros
        assert Decimal(price.output_micros) / 10**6 == Decimal(family.model.output_usd)


def test_it_makes_every_row_and_no_upstream(loaded):
    assert Family.objects.count() == Model.objects.count() == Pool.objects.count() == Price.objects.count() == 17
    assert Provider.objects.count() == 17
    assert not Upstream.objects.exists()


def test_a_second_time_it_changes_nothing(loaded):
    assert load_catalog() == []


def test_names_that_clients_use_lead_to_the_models(loaded):
    names = dict(Alias.objects.values_list("name", "model__slug"))
    expected = {"deepseek-chat": "deepseek", "kimi-k2": "kimi", "internlm3-latest": "internlm3", "qwen-max": "qwen"}
    assert expected.items() <= names.items()
    assert set(names.values()) == set(Model.objects.values_list("slug", flat=True))
    assert not names.keys() & set(Model.objects.values_list("slug", flat=True))


def test_an_alias_that_is_missing_comes_back_and_one_that_leads_elsewhere_stays(loaded):
    Alias.objects.filter(name="kimi-k2").delete()
    Alias.objects.filter(name="qwen-max").update(name="QWEN-Max", model=Model.objects.get(slug="glm"))
    assert load_catalog() == ["alias kimi-k2 of kimi added"]
    assert Alias.objects.get(name__iexact="qwen-max").model.slug == "glm"


def test_an_edited_family_is_refreshed(loaded):
    Family.objects.filter(slug="kimi").update(company="Somebody else")
    assert load_catalog() == ["family kimi: company updated"]
    assert Family.objects.get(slug="kimi").company == "Moonshot AI"


def test_an_edited_model_stays(loaded):
    Model.objects.filter(slug="kimi").update(max_output_tokens=1000)
    assert load_catalog() == []
    assert Model.objects.get(slug="kimi").max_output_tokens == 1000


def test_an_administrators_price_stays(loaded):
    set_price(model="kimi", input_micros=1, cached_micros=1, output_micros=1)
    assert load_catalog() == []
    assert current_prices()["kimi"].input_micros == 1


def test_a_variable_makes_a_route(loaded, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", CANARY)
    assert CANARY not in json.dumps(load_catalog())
    route = Route.objects.get(pool__model__slug="deepseek")
    assert route.from_environment
    assert route.upstream.slug == "deepseek-env"
    assert route.upstream.credential_env == "DEEPSEEK_API_KEY"
    assert route.upstream.credential is None
    assert load_catalog() == []


def test_a_route_carries_no_more_than_its_upstream(loaded, monkeypatch):
    monkeypatch.setenv("ZHINAO_API_KEY", CANARY)
    load_catalog()
    route = Route.objects.get(pool__model__slug="zhinao")
    assert (route.context_length, route.images) == (8000, False)


def test_without_the_variable_the_route_goes(loaded, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", CANARY)
    load_catalog()
    monkeypatch.setenv("DEEPSEEK_API_KEY", "")
    assert len(load_catalog()) == 2
    assert not Route.objects.exists()
    assert not Upstream.objects.exists()


def test_an_administrators_route_does_not_go(loaded, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", CANARY)
    load_catalog()
    Route.objects.create(
        pool=Pool.objects.get(model__slug="deepseek"), upstream=Upstream.objects.get(), upstream_model="other"
    )
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    load_catalog()
    assert Route.objects.get().upstream_model == "other"


def test_edits_of_a_route_from_the_environment_stay(loaded, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", CANARY)
    load_catalog()
    Route.objects.update(upstream_model="deepseek-v4-pro", priority=3, enabled=False)
    assert load_catalog() == []


def test_a_variable_overrides_the_address(loaded, monkeypatch, settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    load_catalog()
    monkeypatch.setenv("MOONSHOT_BASE_URL", "https://api.moonshot.cn/v1/")
    assert load_catalog() == ["upstream kimi-env: address https://api.moonshot.cn/v1 from MOONSHOT_BASE_URL"]


def test_a_senseless_address_is_named_and_changes_nothing(monkeypatch):
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    monkeypatch.setenv("MOONSHOT_BASE_URL", "nonsense")
    with pytest.raises(PoolError, match=r"^MOONSHOT_BASE_URL: The address must begin with"):
        load_catalog()
    assert not Family.objects.exists()
