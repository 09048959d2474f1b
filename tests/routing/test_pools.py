import pytest

from routing.catalog.loader import load_catalog
from routing.checks import PoolError, check_address
from routing.models import Alias, Model, Route, Upstream
from routing.pools import add_upstream, put_upstream

CANARY = "sk-canary-7f3a"
GIVEN = {"family": "deepseek", "base_url": "https://api.example.com/v1", "upstream_model": "m"}


@pytest.fixture(autouse=True)
def catalogue(db, settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    load_catalog()


def test_it_adds_a_route():
    route = add_upstream(**GIVEN, credential=CANARY, priority=2, weight=7)
    assert (route.pool.model.slug, route.priority, route.weight, route.enabled) == ("deepseek", 2, 7, True)
    assert route.upstream.slug == "api-example-com"
    assert CANARY.encode() not in bytes(route.upstream.credential)


def test_the_same_again_only_gets_new_numbers():
    add_upstream(**GIVEN, credential=CANARY)
    route, is_new = put_upstream(**GIVEN, credential=CANARY, priority=3, weight=0, actor="test")
    assert not is_new
    assert (route.priority, route.weight) == (3, 0)
    assert Route.objects.count() == Upstream.objects.count() == 1


def test_another_credential_is_another_upstream():
    first = add_upstream(**GIVEN, credential=CANARY)
    second = add_upstream(**GIVEN, credential_env="OTHER_KEY")
    assert {first.upstream.slug, second.upstream.slug} == {"api-example-com", "api-example-com-2"}


def test_one_upstream_serves_many_families():
    first = add_upstream(**GIVEN, credential=CANARY)
    again = add_upstream(**GIVEN | {"family": "glm", "base_url": "https://API.example.com:443/v1/"}, credential=CANARY)
    assert first.upstream == again.upstream
    assert (Upstream.objects.count(), Route.objects.count()) == (1, 2)


def test_an_upstream_is_named_by_its_host_and_port(settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    assert add_upstream(**GIVEN | {"base_url": "http://10.0.0.5:8000/v1"}).upstream.slug == "10-0-0-5-8000"
    assert add_upstream(**GIVEN | {"base_url": "http://[::1]:8000/v1"}).upstream.slug == "1-8000"


def test_a_known_host_belongs_to_its_provider():
    assert add_upstream(**GIVEN | {"base_url": "https://api.deepseek.com"}).upstream.provider.slug == "deepseek"
    assert add_upstream(**GIVEN).upstream.provider.name == "api.example.com"
    assert add_upstream(**GIVEN, credential_env="B_KEY", provider="moonshot").upstream.provider.name == "Moonshot AI"


@pytest.mark.parametrize("name", ["internlm", "internlm3", "InternLM", "shusheng"])
def test_a_family_is_found_by_slug_id_and_alias(name):
    Alias.objects.create(name="shusheng", model=Model.objects.get(slug="internlm3"))
    assert add_upstream(**GIVEN | {"family": name}).pool.model.slug == "internlm3"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"family": "depseek"}, "did you mean 'deepseek'"),
        ({"family": ""}, "known: baichuan"),
        ({"dialect": "opnai"}, "no dialect 'opnai'"),
        ({"upstream_model": " "}, "Name the model"),
        ({"upstream_model": "a\nb"}, "Name the model"),
        ({"priority": 0}, "priority must be a number from 1"),
        ({"priority": 32768}, "priority must be"),
        ({"weight": -1}, "weight must be a number from 0"),
        ({"credential_env": "not a name"}, "must be a name such as"),
        ({"credential_env": "SECRET_KEY"}, "belongs to this site"),
        ({"credential_env": "SMARTOKEN_CREDENTIAL_KEYS"}, "belongs to this site"),
        ({"credential": "a\nb"}, "no HTTP header"),
        ({"provider": "!!"}, "provider needs a name"),
    ],
)
def test_a_wrong_input_says_what_and_changes_nothing(wrong, message):
    with pytest.raises(PoolError, match=message):
        add_upstream(**GIVEN | wrong)
    assert not Upstream.objects.exists()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://API.Example.com/v1/", "https://api.example.com/v1"),
        (" https://a.com/v1/chat/completions/ ", "https://a.com/v1"),
        ("https://a.com", "https://a.com"),
        ("https://a.com:443/v1", "https://a.com/v1"),
        ("http://a.com:443/v1", "http://a.com:443/v1"),
        ("http://vllm:8000/v1", "http://vllm:8000/v1"),
        ("https://1.1.1.1:8443/x", "https://1.1.1.1:8443/x"),
    ],
)
def test_an_address_is_stored_in_one_form(text, address):
    assert check_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "ftp://a.com",
        "https://",
        "https://a.com:99999",
        "https://a.com:0",
        "https://a b.com",
        "https://a.com/\n",
        "https://a.com\\@b.com",
        "https://user:pass@a.com",
        "https://a.com/?key=1",
        "https://a.com/#x",
        "http://127.1/v1",
        "http://2130706433",
        "http://0x7f.0.0.1",
        "https://a.com/" + "x" * 200,
    ],
)
def test_a_senseless_address_is_refused(text):
    if text.endswith("\n"):
        text += "x"
    with pytest.raises(PoolError):
        check_address(text)


def test_a_refused_address_is_not_repeated():
    with pytest.raises(PoolError) as caught:
        check_address(f"https://user:{CANARY}@a.com")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "x.localhost.", "[::1]", "10.0.0.1", "[::ffff:10.0.0.1]"])
def test_private_addresses_need_the_setting(host, settings):
    with pytest.raises(PoolError, match="SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS=1"):
        check_address(f"http://{host}/v1")
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    assert check_address(f"http://{host}/v1") == f"http://{host}/v1"


def test_metadata_is_never_an_upstream(settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True
    with pytest.raises(PoolError, match="never allowed"):
        check_address("http://169.254.169.254/latest")
