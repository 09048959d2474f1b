"""What surrounds each page: the site's links, the account's menu, the console's pages by role."""

import re

import pytest
from django.test import Client

from accounts import people
from accounts.models import Membership
from smartoken.templatetags.icons import FOLDER, icon


def read(client, path):
    return client.get(path).content.decode()


def links(html, label):
    """The addresses in the navigation that is called so."""
    nav = re.search(rf'<nav[^>]* aria-label="{label}">(.*?)</nav>', html, re.DOTALL)
    return re.findall(r'href="([^"]+)"', nav[1]) if nav else []


@pytest.fixture
def carol(alice):
    """A plain member of alice's organization."""
    organization = Membership.objects.get(user__email="alice@example.com").organization
    user = people.ensure_member(email="carol@example.com")[0].user
    user.memberships.update(organization=organization, role=Membership.Role.MEMBER)
    client = Client()
    client.force_login(user)
    return client


def test_a_visitor_finds_models_docs_and_the_ways_in(client, catalogue):
    html = read(client, "/models/")
    assert {"/models/", "/docs/", "/playground/"} <= set(links(html, "Site"))
    assert "/accounts/login/" in links(html, "Menu") and 'href="/accounts/signup/"' in html


def test_the_menu_says_who_is_signed_in_and_for_whom(alice, catalogue):
    html = read(alice, "/")
    assert "alice@example.com" in html and "Owner of alice" in html
    assert {"/console/", "/console/settings/"} <= set(links(html, "Account"))


def test_signing_out_is_a_form(alice, catalogue):
    form = re.search(r'<form method="post" action="/accounts/logout/">(.*?)</form>', read(alice, "/"), re.DOTALL)
    assert form and "csrfmiddlewaretoken" in form[1]


def test_an_owner_finds_the_money_and_the_audit_log(alice):
    assert {"/console/wallet/", "/console/statements/", "/console/audit/"} <= set(
        links(read(alice, "/console/"), "Console")
    )


def test_a_member_is_offered_what_a_member_may_see(carol):
    found = links(read(carol, "/console/"), "Console")
    assert {"/console/", "/console/keys/", "/console/usage/", "/console/settings/"} <= set(found)
    assert not {"/console/wallet/", "/console/statements/", "/console/audit/"} & set(found)


def test_the_page_one_is_on_is_marked(alice):
    html = read(alice, "/console/keys/new/")
    assert re.search(r'href="/console/keys/" aria-current="page"', html)


def test_every_icon_can_be_drawn():
    names = [path.stem for path in FOLDER.glob("*.svg")]
    assert len(names) > 20
    assert all(icon(name).count("<svg") == 1 and "license" not in icon(name) for name in names)


def test_an_icon_with_a_name_is_read_out():
    assert 'role="img" aria-label="A &lt; B"' in icon("copy", "A < B")
