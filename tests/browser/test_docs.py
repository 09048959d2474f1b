"""Looking something up in the documentation with the keyboard, and without a script."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import STATIC_FILES

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]


def test_a_reader_finds_an_error_by_keyboard_alone(open_page):
    page = open_page()
    page.goto("/docs/models/")
    page.keyboard.press("/")
    page.keyboard.type("budget_exceeded")
    first = page.locator("#docs-quick li a").first
    page.locator("#docs-quick li a").nth(1).click(trial=True)  # no sample lies over it
    page.keyboard.press("Escape")
    assert page.locator("#docs-quick li").count() == 0
    page.keyboard.type("budget_exceeded")
    first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/search/?q=budget_exceeded")
    page.locator(".docs-hits a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/errors/#budget_exceeded")
    expect(page.locator("#budget_exceeded")).to_be_in_viewport()


def test_a_slash_in_a_field_stays_a_slash(open_page):
    page = open_page()
    page.goto("/docs/search/")
    page.locator("#docs-q").fill("")
    page.keyboard.type("a/b")
    assert page.locator("#docs-q").input_value() == "a/b"


def test_samples_change_by_their_tabs(open_page):
    page = open_page(width=360)
    page.goto("/docs/models/")
    samples = page.locator(".tabs").first
    samples.get_by_text("TypeScript").click()
    assert samples.get_by_text("import OpenAI from").is_visible()
    assert samples.get_by_text("curl http").is_hidden()


def test_everything_is_there_without_a_script(browser, site):
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/docs/")
    page.locator("#docs-q").fill("Retry-After")
    page.locator("#docs-q").press("Enter")
    assert page.locator(".docs-hits mark").first.inner_text().lower() == "retry-after"
    page.goto("/status/")
    assert page.locator(".status-list > li").count() == 17
    context.close()
