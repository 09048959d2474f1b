"""The documentation: every page opens, links lead somewhere, lists are the code's own."""

import ast
import json
import re
import shlex

import pytest
from django.core.management import get_commands
from django.urls import Resolver404, resolve

from accounts import keys
from accounts.models import User
from playground import docs
from playground.docs_markdown import parse
from playground.samples import PLACEHOLDER, render_call
from routing import endpoints, snapshot
from routing.catalog import load_families
from routing.conformance import LEVELS
from routing.dialects.base import HARMLESS
from routing.errors import ERRORS, GatewayError
from routing.extras import BILLED
from routing.wire import EXPOSED
from smartoken.environment import SETTINGS

PAGES = docs.load_pages()
WHERE = {"site": "https://gateway.example.com", "model": "kimi"}


def source(slug):
    return f"{PAGES[slug].lead}\n{PAGES[slug].source}"


def blocks(*languages):
    """Return (page, text) of each code block in these languages."""
    return [
        (slug, token.content)
        for slug, page in PAGES.items()
        for token in parse(page.source)
        if token.type == "fence" and token.info.split(" ")[0] in languages
    ]


@pytest.mark.parametrize("slug", PAGES)
def test_every_page_opens(client, db, slug):
    page = client.get(f"/docs/{slug}/")
    assert page.status_code == 200
    assert page.text.count("<h1>") == 1
    assert "{{" not in page.text and " style=" not in page.text
    ids = re.findall(r' id="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("slug", PAGES)
def test_every_page_is_there_as_markdown(client, db, slug):
    page = client.get(f"/docs/{slug}.md")
    assert page["Content-Type"] == "text/markdown; charset=utf-8"
    assert page.text.startswith(f"# {PAGES[slug].title}\n")
    assert "```samples" not in page.text and "```path" not in page.text and "](/" not in page.text


def test_a_page_names_its_neighbours_and_its_markdown(client, db):
    page = client.get("/docs/errors/").text
    assert 'href="/docs/models/" rel="prev"' in page and 'href="/docs/conformance/" rel="next"' in page
    assert 'rel="alternate" type="text/markdown" href="/docs/errors.md"' in page


def test_the_list_shows_every_page(client, db):
    page = client.get("/docs/").text
    assert all(f'href="/docs/{slug}/"' in page for slug in PAGES)


def test_every_error_has_its_section(client, db):
    page = client.get("/docs/errors/").text
    assert all(f'id="{code}"' in page for code in ERRORS)


def test_every_setting_is_described(client, db):
    page = client.get("/docs/settings/").text
    assert all(f"<code>{setting.name}</code>" in page for setting in SETTINGS)


def test_every_command_is_described():
    own = {name for name, app in get_commands().items() if app in ("accounts", "billing", "routing", "smartoken")}
    assert {name for name in own if f"`{name}`" in source("commands")} == own


def test_every_parameter_that_is_left_out_or_refused_by_name_is_told():
    text = source("chat-completions")
    assert all(f"`{name}`" in text for name in HARMLESS)
    assert all(f"`{name}`" in text for name in ("models", "plugins", "web_search", "best_of") if name in BILLED)


def test_every_header_that_a_browser_may_read_is_told():
    assert all(f"`{name}`" in source("chat-completions") for name in EXPOSED.split(", "))


def test_every_time_that_is_told_is_the_default():
    defaults = {setting.name: setting.default for setting in SETTINGS}
    text = source("chat-completions")
    assert f"{defaults['SMARTOKEN_FIRST_BYTE_SECONDS']:.0f} seconds; " in text
    assert f"{defaults['SMARTOKEN_FIRST_BYTE_THINKING_SECONDS']:.0f} where" in text
    assert f"| {defaults['SMARTOKEN_IDLE_SECONDS']:.0f} seconds |" in text
    assert f"| {defaults['SMARTOKEN_ANSWER_SECONDS'] / 60:.0f} minutes |" in text
    assert f"may have {defaults['SMARTOKEN_BODY_LIMIT_MB']} MB" in text


def test_the_model_that_is_shown_has_the_fields_of_the_list(catalogue):
    [(_, shown)] = [block for block in blocks("json") if '"owned_by"' in block[1]]
    described = endpoints.describe_model(snapshot.load_snapshot().models["kimi"])
    example = json.loads(shown)
    assert example.keys() == described.keys()
    assert {**example, "created": 0} == {**described, "created": 0}


@pytest.mark.parametrize(("slug", "text"), blocks("json"))
def test_json_that_is_shown_is_json(slug, text):
    json.loads(text.replace("…", ""))


@pytest.mark.parametrize(("slug", "text"), blocks("python"))
def test_python_that_is_shown_compiles(slug, text):
    ast.parse(text.replace("{{ model }}", "kimi"))


@pytest.mark.parametrize("call", ["stream", "chat", "models", "model", "key", "errors", "idempotency"])
def test_samples_in_python_compile(call):
    python = {sample.language: sample.source for sample in render_call(call, model="kimi", base_url="https://x.test")}
    assert "https://x.test/v1" in python["curl"] and "https://x.test/v1" in python["typescript"]
    ast.parse(python["python"])


@pytest.mark.parametrize(("slug", "text"), blocks("bash"))
def test_shell_that_is_shown_can_be_read(slug, text):
    assert shlex.split(text, comments=True)


def anchors(page):
    return set(re.findall(r' id="([^"]+)"', page))


@pytest.mark.parametrize("slug", PAGES)
def test_no_link_is_dead(client, db, slug):
    """Links of the text: to a page that resolves, and to an anchor that is there."""
    html = PAGES[slug].render(**WHERE).html + PAGES[slug].render_lead(**WHERE).html
    for address in set(re.findall(r'href="([^"]*)"', html)):
        path, _, anchor = address.partition("#")
        assert not path or path.startswith("/"), address
        try:
            resolve(path or "/")
        except Resolver404:
            pytest.fail(f"{address} leads nowhere")
        if anchor:
            page = client.get(path or f"/docs/{slug}/")
            assert page.status_code == 200 and anchor in anchors(page.text), address


def test_an_error_links_to_its_section():
    sections = {str(token.attrGet("id")) for token in parse(PAGES["errors"].source)}
    assert {
        GatewayError(code).body("1", "/docs/errors/")["error"]["docs_url"].partition("#")[2] for code in ERRORS
    } <= sections


def test_samples_name_the_readers_own_key(alice, client, catalogue):
    user = User.objects.get()
    organization = user.memberships.get().organization
    key, _ = keys.create_key(organization=organization, created_by=user, name="mine")
    assert f"{key.prefix}…{PLACEHOLDER}" in alice.get("/docs/chat-completions/").text
    assert f"Bearer {PLACEHOLDER}" in client.get("/docs/chat-completions/").text


def test_samples_name_a_model_that_is_served(client, catalogue, settings):
    settings.SMARTOKEN_URL = "https://own.example.com"
    page = client.get("/docs/chat-completions.md").text
    assert '"model": "deepseek"' in page and "https://own.example.com/v1/chat/completions" in page


def test_an_unknown_page_is_not_found(client, db):
    assert client.get("/docs/nothing/").status_code == 404
    assert client.get("/docs/nothing.md").status_code == 404


def test_markdown_cannot_bring_html_of_its_own():
    page = docs.Page("x", "X", "", "<script>alert(1)</script>\n\n## <b>bold</b>")
    assert "<script>" not in page.render(**WHERE).html and "<b>" not in page.render(**WHERE).html


def test_conformance_names_every_family_and_level(client, db):
    page = client.get("/docs/conformance/").text
    assert all(f'/models/{facts.slug}/#conformance"' in page for facts in load_families())
    assert all(word in page and meaning in page for word, meaning, _ in LEVELS.values())
    assert page.count("<tr>") == 2 * 18
