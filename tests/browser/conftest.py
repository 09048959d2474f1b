"""A real browser in front of a real gateway; fails a test whose page reports an error or breaks the CSP."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from accounts.models import Membership
from tests.gateway.conftest import (  # noqa: F401
    add_route,
    books_are_right,
    database,
    gateway,
    gateway_settings,
    http_client,
    make_key,
    member,
    transactional_db,
    upstream,
    upstream_server,
    wallet,
)
from tests.gateway.server import Server

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
STATIC_FILES = "ignore:StreamingHttpResponse must consume synchronous iterators:Warning"
"""Whitenoise reads its files synchronously; Django says so on every one of them."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium: the system's, else Playwright's own.

    It ends with this folder: tests elsewhere run loops of their own, which Playwright's would forbid.
    """
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's loop runs in this thread, in which Django is as synchronous as ever.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        try:
            chromium = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        except Error:
            (pytest.fail if os.environ.get("CI") else pytest.skip)("Chromium is not installed")
        yield chromium
        chromium.close()


@pytest.fixture
def site(gateway: Server, settings) -> Server:  # noqa: F811
    """The gateway under its own public address, open for sign-up, without mail."""
    settings.SMARTOKEN_URL = gateway.url
    settings.SIGNUP, settings.SIGNUP_CREDIT_USD = "open", "1"
    settings.EMBEDDED, settings.MAIL_CONFIGURED = True, False
    return gateway


@pytest.fixture
def open_page(browser: Browser, site: Server) -> Iterator[Callable[..., Page]]:
    """Open pages; at the end none may have reported an error that the test didn't expect."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(*, membership: Membership | None = None, width: int = 1440, expected: str = "") -> Page:
        context = browser.new_context(base_url=site.url, viewport={"width": width, "height": 900})
        contexts.append(context)
        if membership:
            context.add_cookies([{"name": "sessionid", "value": sign_in(membership), "url": site.url}])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and said.text != expected and errors.append(said.text))
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []


def sign_in(membership: Membership) -> str:
    """Return the session id of this member's browser."""
    client = Client()
    client.force_login(membership.user)
    return client.cookies["sessionid"].value
