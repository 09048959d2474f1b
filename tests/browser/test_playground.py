"""What streams in the Playground, and how it ends."""

import pytest
from playwright.sync_api import expect

from billing.models import UsageRecord
from tests.browser.conftest import STATIC_FILES
from tests.gateway.callers import eventually

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]


@pytest.fixture
def playground(open_page, member, wallet):
    page = open_page(membership=member)
    page.goto("/playground/?model=deepseek")
    return page


def ask(page, text="Hello"):
    page.get_by_label("Your message").fill(text)
    page.get_by_role("button", name="Send").click()


def answer(page):
    return page.locator(".turn-answer").last


def test_an_answer_says_what_it_cost_and_leads_to_its_record(playground, add_route, member):
    add_route("ok")
    ask(playground)
    expect(answer(playground)).to_contain_text("Hello from upstream")
    expect(answer(playground)).to_contain_text("12 tokens in, 3 out · $0.0000105 · first token")
    record = UsageRecord.objects.get(organization=member.organization)
    expect(answer(playground).get_by_role("link")).to_have_attribute("href", f"/console/usage/{record.pk}/")


def test_reasoning_is_folded_apart(playground, add_route):
    add_route("ok-reasoning")
    ask(playground)
    expect(answer(playground).get_by_text("Reasoning")).to_be_visible()
    expect(answer(playground).locator("[data-part=reasoning]")).to_be_hidden()
    expect(answer(playground).locator("[data-part=text]")).to_have_text("42")


def test_the_next_question_carries_what_was_said(playground, add_route, upstream):
    add_route("ok")
    ask(playground, "One")
    expect(playground.locator("#state")).to_have_text("Answered")
    ask(playground, "Two")
    expect(playground.locator(".turn-answer .turn-facts").nth(1)).to_be_visible()
    said = [message["content"] for message in upstream.requests[-1].body["messages"]]
    assert said == ["One", "Hello from upstream", "Two"]


def test_escape_stops_an_answer_and_keeps_what_had_come(playground, add_route, upstream, member):
    add_route("held")
    ask(playground)
    expect(answer(playground)).to_contain_text("Hello")
    playground.keyboard.press("Escape")
    expect(playground.locator("#state")).to_have_text("Stopped")
    expect(answer(playground)).to_contain_text("its page shows the charge")
    record = eventually(lambda: UsageRecord.objects.filter(organization=member.organization).first())
    assert (record.status, record.ended_by) == ("aborted", "client")


def test_a_provider_that_breaks_off_is_told_below_what_had_come(playground, add_route):
    add_route("break-mid-stream")
    ask(playground)
    expect(playground.locator("#state")).to_have_text("Failed")
    expect(answer(playground)).to_contain_text("Hello from upstream")
    expect(answer(playground).get_by_role("alert")).to_be_visible()


def test_the_demo_says_that_it_is_one(playground):
    ask(playground)
    expect(answer(playground)).to_contain_text("demo answer, not this model")


def test_an_empty_wallet_refuses_and_keeps_what_was_typed(open_page, member):
    refused = "Failed to load resource: the server responded with a status of 402 (Payment Required)"
    page = open_page(membership=member, expected=refused)
    page.goto("/playground/?prompt=Keep+me")
    page.get_by_role("button", name="Send").click()
    expect(answer(page).get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Your message")).to_have_value("Keep me")


def test_a_new_conversation_forgets_the_old_one(playground, add_route, upstream):
    add_route("ok")
    ask(playground, "One")
    playground.get_by_role("button", name="New conversation").click()
    ask(playground, "Two")
    expect(playground.locator("#state")).to_have_text("Answered")
    assert [message["content"] for message in upstream.requests[-1].body["messages"]] == ["Two"]
