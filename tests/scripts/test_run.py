"""scripts/run as people start it: real processes, a real data folder."""

import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.callers import eventually
from tests.scripts.tree import Tree, run_and_wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """A first start that goes on running."""
    tree = Tree(tmp_path_factory.mktemp("first") / "data").wait_until_ready()
    yield tree
    tree.end()
    tree.wait_until_gone(10)


@pytest.fixture
def new_tree(tmp_path) -> Iterator[Tree]:
    tree = Tree(tmp_path / "data").wait_until_ready()
    yield tree
    tree.head.kill()
    tree.head.wait()


def test_the_curl_line_works_when_pasted(tree, need_tool):
    need_tool("curl")
    (line,) = [line for line in tree.output.splitlines() if line.strip().startswith("curl ")]
    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("data: {")
    assert answer.stdout.endswith("data: [DONE]\n\n")


def test_the_administrators_link_leads_to_its_page(tree):
    (link,) = re.findall(rf"{tree.address}/setup/\S+", tree.output)
    page = httpx.get(link, trust_env=False)
    assert page.status_code == 200
    assert 'name="password"' in page.text


def test_static_files_and_the_admins_sign_in_are_there(tree):
    with httpx.Client(base_url=tree.address, trust_env=False, follow_redirects=True) as client:
        page = client.get("/admin/")
        assert page.status_code == 200
        (style, *_) = re.findall(r'href="(/static/[^"]+\.css)"', page.text)
        assert client.get(style).headers["content-type"].startswith("text/css")


def test_everything_in_the_data_folder_is_its_owners_alone(tree):
    eventually((tree.data / "celery").exists, 60)  # the worker makes it, and may start later than the gateway
    public = tree.data / "static"  # below a folder that nobody else may enter
    files = [tree.data, *(path for path in tree.data.rglob("*") if public not in [path, *path.parents])]
    assert {path.name for path in files} >= {"smartoken.sqlite3", "secret-key", "credential-key", "celery"}
    assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_the_worker_runs_and_has_nothing_to_say(tree):
    assert any("celery" in command for command in tree.processes().values())
    assert tree.output.endswith(f"ready {tree.address}\n")


def test_a_second_tree_on_the_same_data_is_refused(tree):
    refused = run_and_wait("--port", "1", "--data", str(tree.data))
    assert refused.returncode == 1
    assert f"runs on {tree.data} already (process {tree.head.pid})" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_port_in_use_is_named(tree, tmp_path):
    refused = run_and_wait("--port", str(tree.port), "--data", str(tmp_path / "other"))
    assert refused.returncode == 1
    assert f"127.0.0.1:{tree.port}" in refused.stderr
    assert "--port" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_whole_tree(new_tree, number):
    assert len(new_tree.processes()) >= 2
    assert new_tree.end(number) == 0
    assert new_tree.processes() == {}


def test_nothing_outlives_a_killed_head_and_the_next_start_works(new_tree):
    assert new_tree.end(signal.SIGKILL) == -signal.SIGKILL
    new_tree.wait_until_gone(5)
    again = Tree(new_tree.data).wait_until_ready()
    assert "sk-smt-" not in again.output
    assert "adminlink" in again.output
    assert again.end() == 0


@pytest.mark.parametrize("child", ["uvicorn", "celery"])
def test_a_child_that_dies_ends_the_tree(new_tree, child):
    (pid, *_) = [pid for pid, command in sorted(new_tree.processes().items()) if f"-m {child} " in command]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    assert new_tree.head.wait(60) == 1
    assert "ended unexpectedly" in new_tree.output
    new_tree.wait_until_gone(5)


def test_without_the_demo_no_key_is_made(tmp_path):
    tree = Tree(tmp_path / "data", "--no-demo").wait_until_ready()
    assert "sk-smt-" not in tree.output
    assert "/setup/" in tree.output
    assert tree.end() == 0
