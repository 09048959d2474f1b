"""The ways of people into the console: invited by an owner, with a second factor."""

import re
import uuid

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from playwright.sync_api import expect

from accounts.models import APIKey, Membership, User
from tests.browser.conftest import STATIC_FILES

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]

PASSWORD = "a long walk by the river"


def read_code(secret: str) -> str:
    """What the app on a phone shows now."""
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def test_an_owner_invites_a_member_who_sees_only_their_own(open_page, member, make_key):
    make_key(name="The owner's")
    owner, email = open_page(membership=member), f"{uuid.uuid4().hex}@example.com"
    owner.goto("/console/members/")
    owner.get_by_label("E-mail address").fill(email)
    owner.get_by_role("button", name="Invite").click()
    link = owner.locator("#invitation-link").inner_text()

    new = open_page()
    new.goto(link)
    new.get_by_role("link", name="Create an account").click()
    new.get_by_label("Email").fill(email)
    new.get_by_label("Password").fill(PASSWORD)
    new.locator("main form button").click()
    new.get_by_role("link", name="Confirm the address").click()
    new.locator("main form button").click()
    new.get_by_role("button", name="Join").click()
    expect(new.get_by_text(f"You belong to {member.organization.name} now. Your role: member.")).to_be_visible()

    new.goto("/console/keys/new/")
    new.get_by_label("Name").fill("The member's")
    new.get_by_role("button", name="Create").click()
    new.goto("/console/keys/")
    expect(new.get_by_text("The member's")).to_be_visible()
    expect(new.get_by_text("The owner's")).to_have_count(0)
    expect(new.get_by_role("link", name="Wallet")).to_have_count(0)
    owner.goto("/console/keys/")
    expect(owner.get_by_text("The member's")).to_be_visible()
    assert APIKey.objects.filter(organization=member.organization).count() == 2
    assert Membership.objects.get(user__email=email).role == "member"


def test_a_second_factor_is_set_up_and_asked_for(open_page, db):
    email = f"{uuid.uuid4().hex}@example.com"
    user = User.objects.create_user(email, PASSWORD)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    page = open_page()

    def sign_in() -> None:
        page.goto("/accounts/login/?next=/accounts/2fa/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")

    sign_in()
    page.get_by_role("link", name="Set up").click()
    page.get_by_label("Password").fill(PASSWORD)  # once more, before the protection changes
    page.keyboard.press("Enter")
    secret = re.sub(r"\s", "", page.locator("#authenticator_secret").input_value())
    page.get_by_label("Authenticator code").fill(read_code(secret))
    page.locator("main form button").first.click()
    expect(page.get_by_text("Recovery codes").first).to_be_visible()

    page.context.clear_cookies()
    sign_in()
    page.get_by_label("Code").fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This code is not right")).to_be_visible()
    page.get_by_label("Code").fill(read_code(secret))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/accounts/2fa/$"))
