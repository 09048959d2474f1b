"""A site of processes of their own, whose provider lives in the test's process."""

from collections.abc import Iterator

import pytest

from tests.gateway.processes import Site
from tests.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def site(tmp_path, upstream: Upstream) -> Iterator[Site]:
    made = Site(tmp_path)
    made.run(["addupstream", "--family", "deepseek", "--base-url", upstream.address, "--model", "paced"])
    yield made
    made.close()
