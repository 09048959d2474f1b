"""What surrounds each page, by keyboard alone, without scripts, in both themes and on paper."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import STATIC_FILES, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]


@pytest.fixture
def without_scripts(browser, site, member):
    """A phone that runs no scripts, whose person is signed in."""
    context = browser.new_context(base_url=site.url, viewport={"width": 360, "height": 800}, java_script_enabled=False)
    context.add_cookies([{"name": "sessionid", "value": sign_in(member), "url": site.url}])
    yield context.new_page()
    context.close()


def focused(page):
    return page.evaluate("document.activeElement.textContent.trim()")


def test_the_first_tab_skips_to_the_content(open_page):
    page = open_page()
    page.goto("/models/")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")


def test_the_accounts_menu_works_by_keyboard(open_page, member):
    page = open_page(membership=member, width=360)
    page.goto("/console/")
    menu = page.locator("details.account")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="Models")).to_be_visible()
    page.keyboard.press("Tab")
    assert focused(page) == "Models"
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="Models")).to_be_hidden()
    assert focused(page).startswith(member.user.email)


def test_signing_out_leads_to_the_first_page(open_page, member):
    page = open_page(membership=member)
    page.goto("/console/")
    page.locator("details.account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def test_the_theme_is_remembered(open_page):
    page = open_page()
    page.goto("/models/")
    page.locator("footer").get_by_text("Dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto("/docs/")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.locator("footer").get_by_text("Light").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_a_dialog_opens_and_escape_closes_it(open_page):
    page = open_page()
    page.goto("/styleguide/")
    page.get_by_role("button", name="Revoke…").click()
    assert focused(page) == "Keep it"
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()


def test_menus_open_and_people_sign_out_without_scripts(without_scripts):
    page = without_scripts
    page.goto("/console/")
    expect(page.get_by_text("Dark", exact=True)).to_be_hidden()  # a switch that could do nothing
    page.locator("details.account summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.locator("details.menu summary").click()
    expect(page.get_by_role("link", name="Pricing").first).to_be_visible()


def test_paper_shows_the_page_alone(open_page, member):
    page = open_page(membership=member)
    page.goto("/console/keys/")
    page.emulate_media(media="print")
    for part in (".masthead", ".side", ".footer"):
        expect(page.locator(part)).to_be_hidden()
    expect(page.locator("h1")).to_be_visible()
