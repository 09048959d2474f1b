"""The Playground's page; what streams on it is tested in a browser."""

import pytest

from accounts.models import Membership, Organization
from billing import ledger
from billing.money import NANOS
from routing.models import Alias, Model


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
    line = next(line for line in html.split("<option ") if " selected" in line)
    return line.split('value="')[1].split('"')[0]


def test_a_stranger_signs_in_first_and_keeps_the_prompt(client, catalogue):
    response = client.get("/playground/?model=kimi&prompt=Hello")
    assert response.status_code == 302
    assert response["Location"].endswith("?next=/playground/%3Fmodel%3Dkimi%26prompt%3DHello")


def test_every_served_model_can_be_chosen(alice, catalogue, funded):
    html = read(alice)
    assert html.count("<option ") == Model.objects.count()
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


def test_it_answers_no_organization_with_a_page_that_explains(alice, catalogue):
    Membership.objects.all().delete()
    assert alice.get("/playground/").status_code == 403
