"""What programs read of the site: sitemap, robots.txt, llms.txt, and what each page says of itself."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from django.conf import settings

from playground.docs import load_pages
from routing.models import Family

PUBLIC = ["/", "/models/", "/models/internlm/", "/pricing/", "/changelog/", "/docs/", "/docs/charging/", "/status/"]
NAMESPACE = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def read(client, path):
    response = client.get(path, headers={"host": "testserver"})
    assert response.status_code == 200, path
    return response.content.decode()


def places(client):
    root = ElementTree.fromstring(read(client, "/sitemap.xml"))
    return [entry.text for entry in root.iter(f"{NAMESPACE}loc")]


def test_the_sitemap_leads_to_pages_that_anyone_can_read(client, catalogue):
    found = places(client)
    assert len(found) > 17 + len(load_pages())
    for address in found:
        path = address.removeprefix(settings.SMARTOKEN_URL)
        assert path.startswith("/")
        assert f'rel="canonical" href="{address}"' in read(client, path), address


def test_the_sitemap_holds_every_model_and_page_of_the_docs(client, catalogue):
    found = set(places(client))
    expected = [f"/models/{slug}/" for slug in Family.objects.values_list("slug", flat=True)]
    expected += [f"/docs/{slug}/" for slug in load_pages()]
    assert {settings.SMARTOKEN_URL + path for path in expected} <= found


def test_robots_are_kept_out_of_the_console_and_told_of_the_sitemap(client, db):
    text = read(client, "/robots.txt")
    assert "Disallow: /console/" in text
    assert f"Sitemap: {settings.SMARTOKEN_URL}/sitemap.xml" in text


def test_language_models_find_models_prices_and_documentation(client, catalogue):
    text = read(client, "/llms.txt")
    assert text.startswith("# SmarToken\n")
    assert "id `internlm3`, by Shanghai AI Laboratory; $0.20 in, $0.80 out; context 200000 tokens" in text
    for address in re.findall(r"\]\((.*?)\)", text):
        read(client, address.removeprefix(settings.SMARTOKEN_URL))


def test_language_models_are_told_what_is_not_served(client, catalogue, settings):
    settings.DEMO = False
    text = read(client, "/llms.txt")
    assert text.count("not served on this site") == 17


@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_says_what_it_is(client, catalogue, path):
    html = read(client, path)
    title = re.search(r"<title>(.*?)</title>", html)[1]
    description = re.search(r'<meta name="description" content="(.*?)">', html)[1]
    assert 20 < len(unescape(description)) < 200
    assert f'property="og:title" content="{title}"' in html
    assert f'property="og:description" content="{description}"' in html
    assert f'property="og:url" content="{settings.SMARTOKEN_URL}{path}"' in html


def test_no_two_pages_say_the_same(client, catalogue):
    pages = [read(client, path) for path in PUBLIC]
    for pattern in (r"<title>(.*?)</title>", r'<meta name="description" content="(.*?)">'):
        found = [re.search(pattern, html)[1] for html in pages]
        assert len(set(found)) == len(found), found
