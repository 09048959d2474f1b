"""SDKs against the running gateway of tests/gateway."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway.conftest import (  # noqa: F401  (fixtures)
    add_route,
    books_are_right,
    caller,
    database,
    gateway,
    gateway_settings,
    http_client,
    make_caller,
    make_key,
    member,
    stranger,
    transactional_db,
    unserved,
    upstream,
    upstream_server,
    wallet,
)

HERE = Path(__file__).parent
NODE_MODULES = HERE.parents[1] / ".cache" / "sdk" / "node_modules"


@pytest.fixture
def node(tmp_path: Path, need_tool: Callable[[str], str]) -> Callable[..., subprocess.Popen[str]]:
    """Start a script of node's in a folder where `openai` is installed."""
    program = need_tool("node")
    if not (NODE_MODULES / "openai").exists():
        explain = pytest.fail if os.environ.get("CI") else pytest.skip
        explain("the npm packages are not installed; scripts/test --all does it")
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)

    def start(source: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        script = tmp_path / "chat.mjs"
        script.write_text(source)
        return run(program, str(script), *arguments, cwd=tmp_path, **environment)

    return start


def run(*command: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a program that sees nothing of this machine's settings but the path."""
    return subprocess.Popen(
        command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "NO_PROXY": "*", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Return what a program printed; fail with its complaint where it failed."""
    try:
        printed, complaint = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        printed, complaint = process.communicate()
    assert process.returncode == 0, complaint or printed
    return printed
