"""Every sample shown on a model's page runs as shown, with the placeholder replaced by a key."""

import html
import re
import sys

import pytest
from django.test import override_settings

from playground.samples import render_call
from routing.catalog import load_families
from tests.sdk.conftest import finish, run

FAMILIES = [facts.slug for facts in load_families()]
PLACEHOLDER = "YOUR_SMARTOKEN_KEY"

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def gateway(gateway):
    """The gateway under the address that its pages name."""
    with override_settings(SMARTOKEN_URL=gateway.url):
        yield gateway


def shown_samples(page):
    """Return the code blocks of a page as a person copies them: curl, Python, TypeScript."""
    blocks = [
        html.unescape(re.sub(r"<[^>]+>", "", block)) for block in re.findall(r"<code[^>]*>(.*?)</code>", page, re.S)
    ]
    (curl,) = {block for block in blocks if block.startswith("curl ")}
    (python,) = {block for block in blocks if "from openai import OpenAI" in block}
    (typescript,) = {block for block in blocks if 'import OpenAI from "openai"' in block}
    return curl, python, typescript


@pytest.mark.parametrize("family", FAMILIES)
def test_the_samples_of_a_page_run_as_shown(caller, gateway, node, tmp_path, family):
    page = caller.request("GET", f"/models/{family}/")
    assert page.status == 200
    curl, python, typescript = (sample.replace(PLACEHOLDER, caller.secret) for sample in shown_samples(page.text))
    assert gateway.url in curl
    running = [
        run("bash", "-c", curl, cwd=tmp_path),
        run(sys.executable, "-c", python, cwd=tmp_path),
        node(typescript, SMTOKEN_API_KEY=caller.secret),
    ]
    streamed, *printed = [finish(process) for process in running]
    assert streamed.endswith("data: [DONE]\n\n")
    assert all("This is the demo provider of this SmarToken site" in text for text in printed)


CALLS = ("chat", "models", "model", "key", "errors", "idempotency")


@pytest.mark.parametrize("call", CALLS)
def test_the_samples_of_the_documentation_run(caller, gateway, node, tmp_path, call):
    curl, python, typescript = (
        sample.source for sample in render_call(call, model="kimi", base_url=gateway.url, key=caller.secret)
    )
    running = [
        run("bash", "-c", curl, cwd=tmp_path),
        run(sys.executable, "-c", python, cwd=tmp_path),
        node(typescript, SMTOKEN_API_KEY=caller.secret),
    ]
    assert all(finish(process).strip() for process in running)
