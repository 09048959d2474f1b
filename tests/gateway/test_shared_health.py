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


def test_a_rest_counts_for_both_processes(site, upstream):
    if not site.is_postgresql:
        pytest.skip("SQLite serves one process")
    for family, model in (("deepseek", "refuse-402"), ("yi", "ok")):
        site.run(["addupstream", "--family", family, "--base-url", upstream.address, "--model", model])
    secret = site.create_keys({EMAIL: (10.0, ())})[EMAIL]
    with httpx.Client(trust_env=False, timeout=60) as client:
        one, two = [Caller(client, process.url, secret) for process in (site.start(), site.start())]
        assert two.chat(model="yi").status == 200
        assert one.chat().error["code"] == "upstream_error"
        eventually(lambda: two.chat(model="yi").status == 503, 1)
