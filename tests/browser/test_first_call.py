"""The way of a developer: sign up, confirm, try a prompt, see its price, make a key, call."""

import re
import uuid

import httpx
import pytest
from playwright.sync_api import expect

from billing.models import LedgerEntry
from tests.browser.conftest import STATIC_FILES

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]


def test_from_a_prompt_on_the_site_to_the_first_call_with_a_key(open_page, site):
    page = open_page()
    email = f"{uuid.uuid4().hex}@example.com"
    page.goto("/playground/?model=kimi&prompt=Say+hello")
    page.locator("main").get_by_role("link", name="Create an account").click()
    page.get_by_label("Email").fill(email.upper())
    page.get_by_label("Password").fill("a long walk by the river")
    page.locator("main form button").click()
    page.get_by_role("link", name="Confirm the address").click()
    page.locator("main form button").click()

    # What was asked before the account was there is still asked.
    expect(page.get_by_label("Your message")).to_have_value("Say hello")
    expect(page.get_by_label("Model", exact=True)).to_have_value("kimi")
    page.get_by_label("Your message").press("Control+Enter")
    expect(page.locator("#state")).to_have_text("Answered")
    page.get_by_role("link", name="see the request").click()
    charge = LedgerEntry.objects.get(request=page.url.rstrip("/").rpartition("/")[2]).amount_nanos
    assert charge < 0

    page.goto("/console/wallet/")
    expect(page.locator("main")).to_contain_text("$0.99")

    page.goto("/console/keys/new/")
    page.get_by_label("Name").fill("First")
    page.get_by_role("button", name="Create").click()
    secret = page.locator("#secret").inner_text()
    answer = httpx.post(
        f"{site.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {secret}"},
        json={"model": "qwen", "messages": [{"role": "user", "content": "Hi"}]},
    )
    assert answer.status_code == 200
    expect(page.get_by_text(re.compile(r"Received: [\d.]+ s, \d+ tokens, \$0\.\d+"))).to_be_visible()


def test_from_a_models_page_to_its_first_answer_in_eight_steps(open_page, site):
    page, steps = open_page(), []

    def step(action, *values):
        action(*values)
        steps.append(action)

    page.goto("/models/internlm/")
    step(page.get_by_role("link", name=re.compile("Open in the Playground ?: Write test")).click)
    step(page.locator("main").get_by_role("link", name="Create an account").click)
    step(page.get_by_label("Email").fill, f"{uuid.uuid4().hex}@example.com")
    step(page.get_by_label("Password").fill, "a long walk by the river")
    step(page.locator("main form button").click)
    step(page.get_by_role("link", name="Confirm the address").click)
    step(page.locator("main form button").click)

    # The model and the prompt outlive sign-up and confirmation.
    expect(page.get_by_label("Your message")).to_have_value(re.compile("^Write ten questions that test"))
    expect(page.get_by_label("Model", exact=True)).to_have_value("internlm3")
    step(page.get_by_label("Your message").press, "Control+Enter")
    expect(page.locator("#state")).to_have_text("Answered")
    expect(page.locator(".turn-answer").last).to_contain_text(re.compile(r"tokens in, \d+ out · \$0\.0"))
    assert len(steps) == 8


def test_a_key_asked_for_on_a_models_page_leads_back_to_the_model(open_page, site):
    page = open_page()
    page.goto("/models/internlm/")
    page.locator(".hero").get_by_role("link", name="Get an API key").click()
    page.get_by_label("Email").fill(f"{uuid.uuid4().hex}@example.com")
    page.get_by_label("Password").fill("a long walk by the river")
    page.locator("main form button").click()
    page.get_by_role("link", name="Confirm the address").click()
    page.locator("main form button").click()
    expect(page.get_by_label("Model", exact=True)).to_have_value("internlm3")


def test_the_dashboard_waits_for_the_first_call(open_page, site, member, wallet, make_key):
    secret = make_key(name="Waiting")[1]
    page = open_page(membership=member)
    page.goto("/console/")
    expect(page.get_by_text("Waiting for the first call")).to_be_visible()
    httpx.post(
        f"{site.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {secret}"},
        json={"model": "qwen", "messages": [{"role": "user", "content": "Hi"}]},
    )
    expect(page.get_by_role("heading", name="Latest requests")).to_be_visible()
