"""What one process has learnt of an upstream, the others know within a second."""

import httpx
import pytest

from tests.gateway.callers import Caller, eventually
from tests.gateway.processes import Site

EMAIL = "two@example.com"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


ROUTES = (("deepseek", "one", "refuse-402"), ("yi", "one", "ok"), ("kimi", "two", "refuse-404"))


def test_a_rest_counts_for_both_processes(site, upstream):
    if not site.is_postgresql:
        pytest.skip("SQLite serves one process")
    for family, place, model in ROUTES:
        site.run(["addupstream", "--family", family, "--base-url", f"{upstream.address}/{place}", "--model", model])
    secret = site.create_keys({EMAIL: (10.0, ())})[EMAIL]
    with httpx.Client(trust_env=False, timeout=60) as client:
        one, two = [Caller(client, process.url, secret) for process in (site.start(), site.start())]
        assert two.chat(model="yi").status == 200
        assert [one.chat(model=model).error["code"] for model in ("deepseek", "kimi")] == ["upstream_error"] * 2
        eventually(lambda: two.chat(model="yi").status == 503, 1)
        eventually(lambda: two.chat(model="kimi").status == 503, 1)
