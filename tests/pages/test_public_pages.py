"""The pages that need no account."""

import ast
import json
import re
from collections import Counter
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.staticfiles import finders
from django.test import Client, RequestFactory
from django.utils import timezone
from django.utils.html import strip_tags
from django.views.defaults import server_error

from accounts import keys
from accounts.models import Membership, User
from billing import pricing
from billing.models import ModelSum
from billing.sums import floor_hour
from playground.samples import render_samples
from routing.catalog import load_families
from routing.conformance import CHECKS, ERROR_CHECKS
from routing.models import Family, Pool, Provider, Route, Upstream

FIGURES = {"context", "longest", "input", "output", "reasoning", "coding"}
SLUGS = [family.slug for family in load_families()]


def read(client, path):
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def names_in(html):
    """The families of the comparison table, in its order."""
    return re.findall(r'<th scope="row"><a href="/models/([\w-]+)/"', html)


@pytest.mark.parametrize(
    "path", ["/", "/models/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]
)
def test_a_stranger_reads_it(client, catalogue, path):
    html = read(client, path)
    assert html.count("<h1") == 1
    assert "<title>" in html and 'lang="en"' in html


@pytest.mark.parametrize("path", ["/", "/models/", "/models/internlm/", "/accounts/login/", "/nothing/here/"])
def test_nothing_is_inline_or_from_another_host(client, catalogue, path):
    html = client.get(path).content.decode()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert all(' src="/static/' in tag for tag in re.findall(r"<script[^>]*>", html))
    assert not re.search(r'(src|href)="(https?:)?//(?!127\.0\.0\.1|testserver)', html)


def test_home_without_a_catalogue_still_says_what_it_is(client, db):
    assert "Chinese" in read(client, "/")


def test_home_shows_every_family(client, catalogue):
    assert names_in(read(client, "/")) == SLUGS


def sections_in(html):
    """The headings of a page's sections, in their order."""
    return re.findall(r"<h2[^>]*>(.*?)</h2>", html.partition("<footer")[0])


def test_home_answers_in_the_order_in_which_people_ask(client, catalogue):
    assert sections_in(read(client, "/")) == [
        "What happens to one request",
        "An answer says what it cost",
        "How they compare",
        "Three languages, one change",
        "Questions",
        "Check the ledger yourself",
        "Make the first call",
    ]


def test_a_models_page_has_its_sections_in_order(client, catalogue):
    assert sections_in(read(client, "/models/kimi/")) == [
        "On this site",
        "The path of a request",
        "What comes back",
        "What you get",
        "What Kimi fits",
        "Why through SmarToken",
        "Code that runs as shown",
        "Kimi beside the others",
        "Four ways to begin",
        "Moving to Kimi",
        "Questions",
        "Call Kimi today",
    ]


def test_signed_in_people_find_the_console(alice, catalogue):
    assert 'href="/console/"' in read(alice, "/")


def test_models_are_ordered_by_the_address(client, catalogue):
    names = names_in(read(client, "/models/?sort=input&dir=asc"))
    prices = pricing.current_prices()
    slugs = {family.slug: family.models.get().slug for family in Family.objects.all()}
    assert len(names) == 17
    assert [prices[slugs[name]].input_micros for name in names] == sorted(
        prices[slug].input_micros for slug in slugs.values()
    )


def test_models_are_filtered_by_the_address(client, catalogue):
    assert names_in(read(client, "/models/?context=200000")) == ["kimi", "internlm"]


def test_nonsense_in_the_address_shows_all_models(client, catalogue):
    assert names_in(read(client, "/models/?sort=colour&context=many")) == SLUGS


def test_a_question_without_an_answer_says_so(client, catalogue):
    html = read(client, "/models/?context=200000&coding=5")
    assert names_in(html) == []
    assert 'class="empty"' in html


def test_models_are_filtered_by_what_they_carry_and_cost(client, catalogue):
    assert names_in(read(client, "/models/?images=1&output=2000000")) == ["deepseek", "stepfun"]
    assert names_in(read(client, "/models/?q=tencent")) == ["hunyuan"]


def test_a_route_of_the_site_says_what_a_model_carries(client, catalogue):
    add_route("minimax", images=True, tools=False)
    assert "minimax" in names_in(read(client, "/models/?images=1"))
    assert "minimax" not in names_in(read(client, "/models/?tools=1"))


def test_a_page_names_who_receives_the_text_and_how_much_of_it(client, catalogue):
    add_route("minimax", context_length=64_000)
    html = read(client, "/models/minimax/")
    assert "Somebody, Norway" in html
    assert "64,000 tokens" in html


def test_a_page_tells_how_the_model_did_in_the_last_day(client, catalogue):
    hour = floor_hour(timezone.now())
    figures = {"completed": 990, "failed": 30, "client_errors": 20, "first_token_ms": 495_000, "timed": 990}
    ModelSum.objects.create(
        span="hour", starts_at=hour, model="minimax", stream_ms=10_000, stream_tokens=850, **figures
    )
    html = read(client, "/models/minimax/")
    assert "500 ms" in html and "85 tokens/s" in html and "99.0 % of 1,000" in html


def test_what_is_older_than_a_day_is_not_told(client, catalogue):
    hour = floor_hour(timezone.now() - timedelta(hours=26))
    ModelSum.objects.create(span="hour", starts_at=hour, model="minimax", completed=5)
    assert "no requests in 24 hours" in read(client, "/models/minimax/")


def add_route(model, **fields):
    provider = Provider.objects.create(slug="somebody", name="Somebody", country="Norway")
    upstream = Upstream.objects.create(slug="theirs", provider=provider, base_url="https://somebody.example/v1")
    Route.objects.create(pool=Pool.objects.get(model__slug=model), upstream=upstream, upstream_model="m", **fields)


def test_each_family_speaks_for_itself():
    pages = [facts.page for facts in load_families()]
    assert all(len(page.workloads) == 3 and len(page.cases) == 4 for page in pages)


def test_no_two_families_share_a_sentence():
    said = Counter(sentence for facts in load_families() for sentence in sentences(facts.page))
    assert len(said) > 17 * 12
    assert [sentence for sentence, times in said.items() if times > 1] == []


def test_the_numbers_in_the_texts_are_the_familys_own():
    """A text names figures in braces, which are filled in; prompts are the reader's, and keep theirs."""
    for facts in load_families():
        texts = " ".join(own_words(facts.page)).replace(facts.name, "")
        assert not re.search(r"\d", texts.replace("per 1M tokens", "")), facts.slug
        assert set(re.findall(r"{(\w+)}", texts)) <= FIGURES, facts.slug


def test_texts_name_the_figures_in_force(client, catalogue):
    pricing.set_price(model="internlm3", input_micros=330_000, cached_micros=75_000, output_micros=1_100_000)
    html = read(client, "/models/internlm/")
    assert "read long inputs at $0.33 per 1M tokens" in html
    assert "It reads up to 200K tokens" in html


def own_words(page):
    works = [text for workload in page.workloads for text in (workload.title, workload.text)]
    titles = [case.title for case in page.cases]
    return [page.label, page.title, page.fits, page.choose, page.asked, page.good, page.compares, *works, *titles]


def sentences(page):
    """What the page says in whole sentences, prompts among them."""
    texts = [page.fits, page.choose, page.good, page.compares, page.title]
    texts += [workload.text for workload in page.workloads] + [case.prompt.strip() for case in page.cases]
    return [part for text in texts for part in re.split(r"(?<=[.?!:;]) ", text) if len(part) > 25]


def test_a_family_of_the_operators_own_has_a_page_too(client, catalogue):
    Family.objects.filter(slug="yi").update(slug="own")
    assert "through the OpenAI SDK" in read(client, "/models/own/")


def test_a_prompt_leads_to_the_playground(client, catalogue):
    html = read(client, "/models/deepseek/")
    assert html.count("/playground/?model=deepseek&amp;prompt=") == 4


@pytest.mark.parametrize("slug", SLUGS)
def test_each_family_has_a_page(client, catalogue, slug):
    family = Family.objects.get(slug=slug)
    model = family.models.get()
    html = read(client, f"/models/{slug}/")
    assert html.count("<h1") == 1
    for text in (family.name, family.company, model.slug, "YOUR_SMARTOKEN_KEY", "SMTOKEN_API_KEY", "/v1"):
        assert text in html


def test_a_page_shows_the_price_in_force(client, catalogue):
    pricing.set_price(model="internlm3", input_micros=330_000, cached_micros=75_000, output_micros=1_100_000)
    html = read(client, "/models/internlm/")
    for price in ("$0.33", "$0.075", "$1.10"):
        assert price in html


def test_a_page_marks_its_own_row(client, catalogue):
    html = read(client, "/models/internlm/")
    assert re.search(r'is-here[^>]*><th scope="row"><a href="/models/internlm/"', html)


def test_a_family_without_a_route_is_not_served(client, catalogue, settings):
    settings.DEMO = False
    assert "not served on this site" in read(client, "/models/yi/").lower()
    assert "not served" in read(client, "/models/")


def test_an_administrator_is_told_to_add_a_route(admin_client, catalogue):
    Pool.objects.get(model__slug="yi").delete()
    html = admin_client.get("/models/yi/").content.decode()
    assert "add a route" in html.lower()


def test_an_administrator_is_led_to_the_pool(admin_client, catalogue, settings):
    settings.DEMO = False
    pool = Pool.objects.get(model__slug="pangu")
    assert f'"/admin/routing/pool/{pool.pk}/change/"' in read(admin_client, "/models/pangu/")


def test_samples_begin_with_the_readers_own_key(alice, catalogue):
    member = Membership.objects.get(user__email="alice@example.com")
    key, _ = keys.create_key(organization=member.organization, created_by=member.user, name="mine")
    assert f"{key.prefix}…YOUR_SMARTOKEN_KEY" in read(alice, "/models/yi/")


def test_samples_never_begin_with_a_key_that_could_not_run_them(alice, catalogue):
    member = Membership.objects.get(user__email="alice@example.com")
    whole, _ = keys.create_key(organization=member.organization, created_by=member.user, name="whole")
    keys.create_key(organization=member.organization, created_by=member.user, name="one", families=["kimi"])
    carol = User.objects.create_user("carol@example.com")
    Membership.objects.create(user=carol, organization=member.organization)
    keys.create_key(organization=member.organization, created_by=carol, name="another's")
    gone, _ = keys.create_key(organization=member.organization, created_by=member.user, name="gone")
    keys.update_key(key=gone, expires_at=timezone.now() - timedelta(days=1))
    for path in ("/models/yi/", "/", "/playground/"):
        assert f"{whole.prefix}…YOUR_SMARTOKEN_KEY" in read(alice, path)


def test_questions_are_marked_up_as_such(client, catalogue):
    html = read(client, "/models/yi/")
    section = html.partition("https://schema.org/FAQPage")[2].partition("</section>")[0]
    assert section.count('itemprop="name"') == section.count('itemprop="text"') == 7


def test_where_a_visitor_came_from_is_in_the_way_to_an_account(client, catalogue):
    assert 'href="/accounts/signup/?next=/playground/%3Fmodel%3Dinternlm3"' in read(client, "/models/internlm/")


def test_an_unknown_family_is_not_found(client, catalogue):
    assert client.get("/models/gpt/").status_code == 404


def test_samples_hold_this_model_address_and_key():
    samples = {each.language: each for each in render_samples(model="kimi", base_url="https://x.test", key="sk-1")}
    assert set(samples) == {"curl", "python", "typescript"}
    for sample in samples.values():
        assert "kimi" in sample.source and "https://x.test/v1" in sample.source and "sk-1" in sample.source
        assert unescape(strip_tags(sample.html)).strip() == sample.source.strip()
    ast.parse(samples["python"].source)
    body = re.search(r"-d '(.*)'", samples["curl"].source, re.S).group(1)
    assert json.loads(body)["stream"] is True
    assert "process.env.SMTOKEN_API_KEY" in samples["typescript"].source


def test_a_missing_page_says_what_to_do(client, db):
    response = client.get("/nothing/here/")
    assert response.status_code == 404
    assert "/models/" in response.content.decode()


def test_a_broken_page_needs_no_database():
    response = server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert b"on our side" in response.content


def test_a_form_without_its_seal_is_refused_in_plain_words(db):
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "a@example.com"})
    assert response.status_code == 403
    assert b"Nothing was changed" in response.content


def test_sign_up_can_be_closed(client, db, settings):
    settings.SIGNUP = "closed"
    html = read(client, "/accounts/signup/")
    assert "Sign-up is closed" in html and "<form" not in html


def test_the_old_address_of_the_icon_leads_to_it(client, db):
    response = client.get("/favicon.ico")
    assert response.status_code == 302
    assert finders.find(response.headers["Location"].removeprefix("/static/"))


def test_a_model_page_tells_what_its_translation_was_tested_against(client, catalogue):
    html = read(client, "/models/qwen/")
    section = html.partition('id="conformance"')[2].partition("</section>")[0]
    assert section.count("<dt>") == len(CHECKS) + len(ERROR_CHECKS)
    assert "/docs/conformance/" in section


def test_the_style_guide_shows_each_component(client, catalogue):
    html = read(client, "/styleguide/")
    shown = ["btn main", "field-error", "segments", "sticky", "tab-bar", "data-copy", "badge ok", "meter", "kpis"]
    shown += ["notice bad", "empty", "dialog", "questions", "path-wide", 'class="cross"', "swatches"]
    assert [name for name in shown if name not in html] == []
