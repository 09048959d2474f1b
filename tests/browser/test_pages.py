"""Every page of the console on a phone and on a desk: no error, nothing wider than the screen."""

import pytest

from billing.models import UsageRecord
from tests.browser.conftest import STATIC_FILES
from tests.gateway.callers import eventually

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]

PAGES = [
    "/console/",
    "/console/keys/",
    "/console/keys/new/",
    "/console/usage/",
    "/console/wallet/",
    "/console/settings/",
    "/playground/",
]


def assert_fits(page, path):
    assert page.goto(path).status == 200
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], path
    assert page.locator("h1").count() == 1, path


@pytest.mark.parametrize("width", [360, 1440])
def test_an_empty_console_fits(open_page, member, width):
    page = open_page(membership=member, width=width)
    for path in PAGES:
        assert_fits(page, path)


@pytest.mark.parametrize("width", [360, 1440])
def test_a_console_with_long_names_fits(open_page, member, wallet, make_key, site, http_client, width):
    member.organization.name = "The-Very-Long-Named-Institute-" * 3
    member.organization.save()
    key, secret = make_key(name="n" * 100, families=["deepseek", "kimi", "qwen", "glm"], daily_budget_nanos=10**12)
    call = {"model": "deepseek", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"authorization": f"Bearer {secret}"}
    http_client.post(f"{site.url}/v1/chat/completions", headers=headers, json=call)
    record = eventually(lambda: UsageRecord.objects.filter(key=key).first())
    page = open_page(membership=member, width=width)
    for path in [*PAGES, f"/console/keys/{key.pk}/", f"/console/keys/{key.pk}/revoke/", f"/console/usage/{record.pk}/"]:
        assert_fits(page, path)
