"""The Playground's page; what streams on it is tested in a browser."""

import pytest

from accounts import keys
from accounts.models import APIKey, Membership, Organization
from billing import budgets, ledger
from billing.money import NANOS
from billing.sums import EPOCH
from routing import pools
from routing.models import Alias, Model, Route


@pytest.fixture
def playground_key(alice, funded):
    return keys.playground_key(organization=funded, user=funded.members.get())


@pytest.fixture
def funded(alice):
    organization = Organization.objects.get()
    ledger.grant(organization=organization, nanos=NANOS, actor="test")
    return organization


def read(client, address="/playground/"):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def chosen(html):
    line = next(line for line in html.split("<option ") if "data-input" in line and " selected" in line)
    return line.split('value="')[1].split('"')[0]


def test_a_stranger_signs_in_first_and_keeps_the_prompt(client, catalogue):
    response = client.get("/playground/?model=kimi&prompt=Hello")
    assert response.status_code == 302
    assert response["Location"].endswith("?next=/playground/%3Fmodel%3Dkimi%26prompt%3DHello")


def test_every_served_model_can_be_chosen(alice, catalogue, funded):
    html = read(alice)
    assert html.count("data-input=") == 2 * Model.objects.count()  # once more to make columns of
    assert "is empty" not in html and "Nothing is left" not in html


@pytest.mark.parametrize("name", ["internlm3", "internlm", "InternLM"])
def test_a_model_is_found_by_its_id_and_by_its_family(alice, catalogue, funded, name):
    assert chosen(read(alice, f"/playground/?model={name}")) == "internlm3"


def test_a_model_is_found_by_an_alias(alice, catalogue, funded):
    Alias.objects.create(name="The-Best", model=Model.objects.get(slug="qwen"))
    assert chosen(read(alice, "/playground/?model=the-best")) == "qwen"


def test_a_prompt_comes_with_the_address_and_stays_text(alice, catalogue, funded):
    html = read(alice, "/playground/?prompt=%3C/textarea%3E%3Cscript%3Ealert(1)")
    assert "&lt;/textarea&gt;&lt;script&gt;alert(1)</textarea>" in html


def test_an_unknown_model_is_named_as_not_served(alice, catalogue, funded):
    assert "“&lt;b&gt;” is not served on this site" in read(alice, "/playground/?model=<b>")


def test_without_a_served_model_it_says_what_to_do(alice, catalogue, settings):
    settings.DEMO = False
    html = read(alice)
    assert "No model is served on this site yet" in html
    assert "<form class=" not in html


def test_an_empty_wallet_is_told_before_the_first_call(alice, catalogue):
    assert "Nothing is left in the wallet" in read(alice)


def test_a_plain_member_is_not_led_to_the_wallet(alice, catalogue):
    Membership.objects.update(role=Membership.Role.MEMBER)
    assert "Ask an owner of the organization" in read(alice)


def test_several_models_come_with_the_address_each_once(alice, catalogue, funded):
    html = read(alice, "/playground/?model=kimi&model=nothing&model=kimi&model=qwen")
    assert html.count('id="model-') == 2
    assert "“nothing” is not served" in html


def test_parameters_come_with_the_address_and_nonsense_does_not(alice, catalogue, funded):
    html = read(alice, "/playground/?temperature=0.3&max_tokens=many&thinking=none&system=Be+brief")
    assert 'value="0.3"' in html and "many" not in html
    assert '<option value="none" selected>' in html and ">Be brief</textarea>" in html


def test_a_model_that_takes_no_images_says_so(alice, catalogue, funded):
    pools.add_upstream(family="kimi", base_url="https://api.example.com/v1", upstream_model="k")
    Route.objects.update(images=False)
    assert "· does not see images" in read(alice, "/playground/?model=kimi")
    assert "· does not see images" not in read(alice, "/playground/?model=qwen")


def test_a_spent_budget_is_told_with_the_next_step(alice, catalogue, playground_key):
    budgets.update_key(key=playground_key, daily_budget_nanos=0)
    html = read(alice)
    assert "daily budget is spent" in html and f'href="/console/keys/{playground_key.pk}/"' in html


def test_a_plain_member_is_not_led_to_the_key(alice, catalogue, playground_key):
    Membership.objects.update(role=Membership.Role.MEMBER)
    assert "/console/keys/" + str(playground_key.pk) not in read(alice)


@pytest.mark.parametrize(
    ("fields", "words"), [({"revoked_at": EPOCH}, "key is revoked"), ({"expires_at": EPOCH}, "key has expired")]
)
def test_a_key_that_is_over_is_told(alice, catalogue, playground_key, fields, words):
    APIKey.objects.filter(pk=playground_key.pk).update(**fields)
    assert words in read(alice)


def test_without_javascript_the_call_is_there_for_the_terminal(alice, catalogue, funded):
    html = read(alice, "/playground/?model=kimi")
    assert "curl -N" in html.partition("<noscript>")[2].partition("</noscript>")[0]


def test_it_answers_no_organization_with_a_page_that_explains(alice, catalogue):
    Membership.objects.all().delete()
    assert alice.get("/playground/").status_code == 403
