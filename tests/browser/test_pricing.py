"""The calculator of prices: live in the browser, the same as the server reckons."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import STATIC_FILES

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]

WORKLOADS = [("12345", "37", "678", "9"), ("1", "0", "0", "1"), ("9999999", "100", "999999", "1000000000")]


def test_what_is_reckoned_live_is_what_the_server_reckons(open_page, site):
    page = open_page()
    page.goto("/pricing/")
    for workload in WORKLOADS:
        for label, value in zip(("Input", "Of these cached", "Output", "Requests"), workload, strict=True):
            page.get_by_label(re.compile(f"^{label}")).fill(value)
        live = page.locator("[data-sum]").all_inner_texts()
        assert len(live) == 17 * 3 and "–" not in live
        page.goto(page.url)  # the workload is in the address
        expect(page.get_by_label(re.compile("^Output"))).to_have_value(workload[2])
        assert page.locator("[data-sum]").all_inner_texts() == live


def test_what_makes_no_sense_is_not_reckoned(open_page, site):
    page = open_page()
    page.goto("/pricing/")
    page.get_by_label("Of these cached").fill("101")
    assert set(page.locator("[data-sum]").all_inner_texts()) == {"–"}
