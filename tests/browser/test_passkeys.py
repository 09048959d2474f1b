"""A passkey in Chromium's virtual authenticator: added, used, renamed, removed."""

import re
import uuid

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.conftest import STATIC_FILES
from tests.browser.inspection import PICTURES, Inspector
from tests.pages.every_page import sign_in as with_recent_password
from tests.passkeys import add_passkey as make_passkey

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]

PASSWORD = "a long walk by the river"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def person(db, settings) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    email = f"{uuid.uuid4().hex}@example.com"
    user = User.objects.create_user(email, PASSWORD)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


@pytest.fixture
def localhost(site) -> str:
    """The site by a name: browsers keep no passkey for a number."""
    return f"http://localhost:{site.port}"


def plug_in_device(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})


def sign_in(page: Page, address: str, user: User) -> None:
    page.goto(f"{address}/accounts/login/?next=/accounts/2fa/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def add_passkey(page: Page, name: str) -> None:
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Password").fill(PASSWORD)  # once more, before the protection changes
    page.keyboard.press("Enter")
    page.get_by_label("Name").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def test_a_passkey_signs_in_where_the_person_wanted_to_go(open_page, localhost, person):
    page = open_page()
    plug_in_device(page)
    sign_in(page, localhost, person)
    add_passkey(page, "work laptop")

    page.context.clear_cookies()
    page.goto(f"{localhost}/accounts/login/?next=/accounts/2fa/webauthn/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(re.compile("/accounts/2fa/webauthn/$"))
    expect(page.get_by_role("row", name=re.compile("work laptop passkey.*now"))).to_be_visible()

    page.get_by_role("link", name="Rename work laptop").click()
    page.get_by_role("link", name="Use a passkey").click()  # it confirms that it is them, too
    page.get_by_role("button", name="Use the passkey").click()
    page.get_by_label("Name").fill("old laptop")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Remove old laptop").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No passkey yet")).to_be_visible()
    assert not Authenticator.objects.filter(user=person).exists()


def test_after_the_password_the_passkey_is_asked_for(open_page, localhost, person):
    page = open_page()
    plug_in_device(page)
    sign_in(page, localhost, person)
    add_passkey(page, "blue stick")

    page.context.clear_cookies()
    sign_in(page, localhost, person)
    page.get_by_role("button", name="Use the passkey").click()
    expect(page).to_have_url(re.compile("/accounts/2fa/$"))
    expect(page.get_by_text("blue stick")).to_be_visible()


def test_a_browser_that_refuses_says_so_in_words(open_page, localhost, person):
    page = open_page()
    plug_in_device(page)  # which holds no passkey
    page.goto(f"{localhost}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")


@pytest.mark.slow
def test_the_pages_of_passkeys_are_sound(browser, localhost, person):
    PICTURES.mkdir(parents=True, exist_ok=True)
    passkey = make_passkey(person, name="a security key on a ring").pk
    context = browser.new_context(base_url=localhost, reduced_motion="reduce")
    inspector = Inspector(context, localhost)
    wrong = inspector.inspect("passkey-login", "/accounts/login/")
    cookie = with_recent_password(person).cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": localhost}])
    for name, path in {"add": "add/", "list": "", "again": "reauthenticate/", "edit": f"keys/{passkey}/edit/"}.items():
        wrong += inspector.inspect(f"passkey-{name}", f"/accounts/2fa/webauthn/{path}")
    context.close()
    assert "\n".join(wrong) == ""


def test_a_number_or_an_old_browser_shows_no_button(open_page, site, localhost):
    page = open_page()
    page.goto(f"{site.url}/accounts/login/")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto(f"{localhost}/accounts/login/")
    expect(page.locator("#passkey_login")).to_be_hidden()
