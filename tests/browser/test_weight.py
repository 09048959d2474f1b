"""The first view of a model page as production sends it: collected, compressed, cached for good."""

import pytest

from tests.gateway.processes import Process, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOST_BYTES = 100_000
MOST_REQUESTS = 8


@pytest.fixture(scope="module")
def production(tmp_path_factory) -> Process:
    site = Site(tmp_path_factory.mktemp("site"))
    site.run(["collectstatic", "--noinput", "--verbosity", "0"])
    yield site.start()
    site.close()


@pytest.fixture
def first_view(browser, production):
    """Open a page with an empty cache; return each answer's address, bytes on the wire and caching."""
    context = browser.new_context()
    page = context.new_page()
    tracer = context.new_cdp_session(page)
    tracer.send("Network.enable")
    answers, sizes = {}, {}
    tracer.on("Network.responseReceived", lambda event: answers.update({event["requestId"]: event["response"]}))
    tracer.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))

    def open_page(path):
        page.goto(production.url + path, wait_until="networkidle")
        return [
            (answer["url"], sizes[number], answer["headers"].get("cache-control", ""))
            for number, answer in answers.items()
        ]

    yield open_page
    context.close()


@pytest.mark.parametrize("path", ["/models/internlm/", "/models/deepseek/"])
def test_a_model_page_is_light(first_view, path):
    answers = first_view(path)
    total = sum(size for _, size, _ in answers)
    assert len(answers) <= MOST_REQUESTS, answers
    assert 10_000 < total <= MOST_BYTES, answers


def test_all_but_the_page_is_kept_for_good(first_view):
    answers = first_view("/models/internlm/")
    assert all("immutable" in caching for url, _, caching in answers if "/static/" in url)
    assert sum("/static/" in url for url, _, _ in answers) == len(answers) - 1
