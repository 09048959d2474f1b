"""From sign-up to an answer without a mouse, the focus always in sight."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import STATIC_FILES
from tests.browser.keyboard import Keyboard

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]

PASSWORD = "a long walk by the river"


def test_the_way_of_a_developer_by_keyboard_alone(open_page, site, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    page = open_page()
    page.emulate_media(reduced_motion="reduce")  # else a page may still scroll when it is looked at
    keyboard, email = Keyboard(page), f"{uuid.uuid4().hex}@example.com"
    page.goto("/")
    keyboard.press("Get a key")
    keyboard.write("Email", email)
    keyboard.write("Password", PASSWORD)
    keyboard.press("Create the account")
    keyboard.press("Confirm the address")
    keyboard.press("Confirm ", "button")
    expect(page).to_have_url(re.compile("/console/$"))

    keyboard.press(email, "summary", leads=False)
    keyboard.press("Sign out")
    expect(page).to_have_url(f"{site.url}/")
    keyboard.press("Sign in")
    keyboard.write("Email", email)
    keyboard.write("Password", PASSWORD)
    keyboard.press("Sign in", "button")
    expect(page).to_have_url(re.compile("/console/$"))

    keyboard.press("Keys", "a")
    keyboard.press("Create a key")
    keyboard.write("Name", "By keyboard")
    keyboard.press("Create the key")
    expect(page.locator("#secret")).to_contain_text("sk-smt-")

    keyboard.press("Playground", "a")
    keyboard.write("Your message", "Say hello")
    keyboard.press("Send", leads=False)
    expect(page.locator("#state")).to_have_text("Answered")
    assert keyboard.unseen == set()
