"""What becomes of texts, told from the rows and the settings; the operator's own terms and support."""

import pytest

from routing.models import Pool, Provider, Route, Upstream


@pytest.fixture
def served(catalogue, settings):
    """Only Kimi has routes: its company's first, then another one's."""
    settings.DEMO = False
    pool = Pool.objects.get(model__slug="kimi")
    for priority, (slug, name, country) in enumerate([("own", "Own Lab", "Iceland"), ("other", "Other Ltd", "")], 1):
        provider = Provider.objects.create(slug=slug, name=name, country=country)
        upstream = Upstream.objects.create(slug=slug, provider=provider, base_url=f"https://{slug}.example.com")
        Route.objects.create(pool=pool, upstream=upstream, upstream_model="k", priority=priority)


def read(client, path="/privacy/"):
    response = client.get(path)
    assert response.status_code == 200
    return response.text


def test_it_names_who_receives_the_text_of_each_served_family(client, served):
    page = read(client)
    assert page.index("Own Lab</td><td>Iceland") < page.index("Other Ltd</td><td>not stated")
    assert "/models/kimi/" in page and "/models/deepseek/" not in page


def test_a_route_that_is_switched_off_receives_nothing(client, served):
    Route.objects.filter(upstream__slug="other").update(enabled=False)
    assert "Other Ltd" not in read(client)


def test_the_demo_receives_it_where_it_answers(client, catalogue):
    page = read(client)
    assert "the built-in demo answers on this very server" in page and "<table>" not in page
    assert all(name in page for name in ("DeepSeek", "LongCat"))


def test_a_site_that_serves_nothing_sends_nothing(client, db):
    assert "Nobody: no model is served" in read(client)


def test_retention_is_what_the_settings_say(client, catalogue, settings):
    settings.USAGE_DAYS, settings.PLAYGROUND_DAYS = 77, 11
    page = read(client)
    assert "for 77 days" in page and "for 11 days after their last answer" in page


@pytest.mark.parametrize(("name", "path"), [("TERMS", "/terms/"), ("SUPPORT", "/support/")])
def test_a_text_of_the_operators_is_shown_and_linked(client, catalogue, settings, tmp_path, name, path):
    (tmp_path / "text.md").write_text("# House rules\n\nBe **kind**. <script>alert(1)</script> [x](javascript:alert)\n")
    setattr(settings, name, str(tmp_path / "text.md"))
    page = read(client, path)
    assert "<h1>House rules</h1>" in page and "<strong>kind</strong>" in page
    assert "<script>alert" not in page and 'href="javascript' not in page
    assert f'href="{path}"' in read(client, "/")


def test_an_address_is_led_to(client, catalogue, settings):
    settings.TERMS = "https://example.com/terms"
    assert client.get("/terms/")["Location"] == "https://example.com/terms"


def test_without_a_text_there_is_no_page_and_no_link(client, catalogue):
    assert client.get("/terms/").status_code == client.get("/support/").status_code == 404
    assert 'href="/terms/"' not in read(client, "/") and 'href="/privacy/"' in read(client, "/")


def test_signing_up_names_the_terms(client, catalogue, settings):
    assert "you accept the" not in read(client, "/accounts/signup/")
    settings.TERMS = "https://example.com/terms"
    assert 'you accept the <a href="/terms/">' in read(client, "/accounts/signup/")
