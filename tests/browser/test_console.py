"""The ways of a person through the console: a key's whole life, and a failed request of yesterday."""

import re
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from billing.models import UsageRecord
from tests.browser.conftest import STATIC_FILES
from tests.gateway.callers import eventually
from tests.gateway.conftest import in_force

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]


@pytest.fixture
def call(site):
    """Call the gateway with a secret, once every change is in force; return status and error code."""

    def make(secret: str) -> tuple[int, str]:
        in_force()
        answer = httpx.post(
            f"{site.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {secret}"},
            json={"model": "deepseek", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10},
        )
        return answer.status_code, answer.json().get("error", {}).get("code", "")

    return make


def set_daily_budget(page: Page, amount: str) -> None:
    page.get_by_role("link", name="nightly").click()
    page.get_by_label("Daily budget").fill(amount)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is changed; that holds from now on")).to_be_visible()


def test_a_key_is_made_limited_rotated_and_revoked(open_page, member, wallet, add_route, call):
    add_route("ok")
    page = open_page(membership=member)
    page.goto("/console/keys/")
    page.get_by_role("link", name="Create a key").first.click()
    page.get_by_label("Name").fill("nightly")
    page.get_by_label("Daily budget").fill("five")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_text("is not an amount in US dollars")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("nightly")
    page.get_by_label("Daily budget").fill("5")
    page.get_by_role("button", name="Create the key").click()
    first = page.locator("#secret").inner_text()
    assert call(first) == (200, "")
    expect(page.get_by_text(re.compile(r"Received: [\d.]+ s, 15 tokens, \$0\.\d+"))).to_be_visible()

    page.get_by_role("link", name="All keys").click()
    set_daily_budget(page, "0.000001")
    assert call(first) == (402, "budget_exceeded")
    set_daily_budget(page, "5")

    page.get_by_role("link", name="nightly").click()
    page.get_by_role("link", name="Rotate…").click()
    page.get_by_label("one hour").check()
    page.get_by_role("button", name="Make a new secret").click()
    second = page.locator("#secret").inner_text()
    assert call(first) == call(second) == (200, "")
    expect(page.get_by_text("Received:")).to_be_visible()
    page.get_by_role("link", name="All keys").click()
    page.get_by_role("link", name="nightly").click()
    page.get_by_role("button", name="End it now").click()
    assert [call(first), call(second)] == [(401, "invalid_api_key"), (200, "")]

    page.get_by_role("link", name="Revoke…").click()
    page.get_by_role("button", name="Revoke the key").click()
    assert call(second) == (401, "invalid_api_key")
    page.get_by_role("link", name="1 revoked key").click()
    expect(page.get_by_role("row", name="nightly")).to_contain_text("revoked")


def test_yesterdays_failed_request_is_found_and_explained(open_page, member, wallet, make_key, add_route, call):
    add_route("echo-500")
    secret = make_key(name="agents")[1]
    assert call(secret)[0] == 502
    failed = eventually(lambda: UsageRecord.objects.filter(organization=member.organization).first())
    yesterday = failed.created_at - timedelta(days=1)
    UsageRecord.objects.filter(pk=failed.pk).update(created_at=yesterday, started_at=yesterday)
    page = open_page(membership=member)
    page.goto("/console/usage/")
    page.evaluate("window.isSamePage = true")
    page.get_by_label("Period").select_option("yesterday")
    page.get_by_label("Status").select_option("failed")
    expect(page).to_have_url(re.compile(r"/console/usage/\?period=yesterday&status=failed$"))
    expect(page.get_by_role("heading", name="Requests by hour and model")).to_be_visible()
    assert page.evaluate("window.isSamePage")
    assert page.locator(".plot canvas").count() == 1
    marks = (
        "[[250000, 250000], [750000, 250000], [2.5e8, 2.5e8], [2e9, 1e9]].map(([at, step]) => words('usd', at, step))"
    )
    assert page.evaluate(marks) == ["$0.00025", "$0.00075", "$0.25", "$2"], "marks of an axis are not rounded"
    room = "([plot]) => widthOf(plot, ['$0.000000125'], 1) - plot.ctx.measureText('$0.000000125').width"
    assert page.evaluate(f"({room})([...drawn.values()])") >= 0, "a long mark is not cut"
    assert page.evaluate("[...drawn.keys()].every((box) => box.isConnected)"), "charts that are gone are let go"

    page.go_back()  # loaded anew: a body that was put in by script would have lost what listens
    expect(page).to_have_url(re.compile(r"/console/usage/\?period=yesterday$"))
    expect(page.locator(".plot canvas")).to_be_visible()
    page.get_by_label("Status").select_option("failed")
    expect(page).to_have_url(re.compile(r"/console/usage/\?period=yesterday&status=failed$"))

    page.locator(".records th a").click()
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("It had an error · status 500")
    expect(page.locator("main")).to_contain_text("The provider failed. Nothing is charged.")

    page.goto("/console/keys/")
    page.get_by_label("Find a request by its id").fill(f"chatcmpl-{failed.pk.hex}")
    page.keyboard.press("Enter")
    expect(page.locator("#request-id")).to_have_text(str(failed.pk))


def test_a_chart_follows_the_theme(open_page, member, wallet, make_key, add_route, call):
    add_route("ok")
    secret = make_key(name="agents")[1]
    assert call(secret)[0] == 200
    assert eventually(lambda: UsageRecord.objects.filter(organization=member.organization).exists())
    page = open_page(membership=member)
    page.goto("/console/")
    picture = "document.querySelector('.plot canvas').toDataURL()"
    expect(page.locator(".plot canvas")).to_be_visible()
    light = page.evaluate(picture)
    page.locator("[data-theme-switch] label", has_text="Dark").click()
    assert page.evaluate(picture) != light
    page.locator("summary", has_text="The figures as a table").click()
    expect(page.locator(".chart table")).to_contain_text("deepseek")
