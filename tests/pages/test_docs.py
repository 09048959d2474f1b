"""The documentation: every page opens, links lead somewhere, lists are the code's own."""

import re

import pytest

from playground import docs
from routing.catalog import load_families
from routing.conformance import LEVELS
from routing.errors import ERRORS
from smartoken.environment import SETTINGS


@pytest.mark.parametrize("slug", docs.load_pages())
def test_every_page_opens(client, db, slug):
    page = client.get(f"/docs/{slug}/")
    assert page.status_code == 200
    assert page.text.count("<h1>") == 1
    assert "{{" not in page.text


def test_every_error_has_its_line(client, db):
    page = client.get("/docs/errors/").text
    assert all(f'id="{code}"' in page for code in ERRORS)


def test_every_setting_is_described(client, db):
    page = client.get("/docs/settings/").text
    assert all(setting.name in page for setting in SETTINGS)


@pytest.mark.parametrize("slug", docs.load_pages())
def test_links_inside_the_site_lead_somewhere(client, db, slug):
    page = client.get(f"/docs/{slug}/").text
    for address in set(re.findall(r'href="(/(?!static/)[^"#]*)"', page)):
        assert client.get(address).status_code in (200, 302), address


def test_pages_are_found_by_their_words(client, db):
    page = client.get("/docs/", {"q": "idempotency-key wallet"}).text
    assert "/docs/limits/" in page
    assert "/docs/settings/" not in page


def test_a_search_without_result_says_so(client, db):
    assert "No page holds" in client.get("/docs/", {"q": "<b>xyzzy</b>"}).text


def test_an_unknown_page_is_not_found(client, db):
    assert client.get("/docs/nothing/").status_code == 404


def test_markdown_cannot_bring_html_of_its_own():
    assert "<script>" not in docs.render("<script>alert(1)</script>")


def test_conformance_names_every_family_and_level(client, db):
    page = client.get("/docs/conformance/").text
    assert all(f'/models/{facts.slug}/#conformance"' in page for facts in load_families())
    assert all(word in page and meaning in page for word, meaning, _ in LEVELS.values())
    assert page.count("<tr>") == 2 * 18
