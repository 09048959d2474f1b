"""The others: nginx as the limit, LiteLLM and Portkey in environments of their own under var/bench/.

What is installed is named in pins/; an environment is made once and again when its pins change.
Each is run by its own starting command as its documentation tells for one process, without a database.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from processes import ROOT, bind_to_parent

from tests.bench.machine import free_port, gateway_core, running, wait_until_ready
from tests.bench.report import say
from tests.bench.system import System, bearer

HOMES = ROOT / "var" / "bench"
PINS = Path(__file__).parent / "pins"
INSTALL_SECONDS = 540
MASTER_KEY = "sk-bench"

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-errors.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 256; }}
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 10000000;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""

LITELLM = """
model_list:
  - model_name: deepseek
    litellm_params: {{model: openai/bench, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-upstream}}
general_settings: {{master_key: {master_key}}}
"""


# --- environments --------------------------------------------------------------


def prepare_nginx() -> str:
    """Return why nginx can't be measured, '' where it can."""
    return "" if find_nginx() else "nginx is not installed"


def find_nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def prepare_litellm() -> str:
    home = HOMES / "litellm"
    pip = [home / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    return _install("litellm.txt", home, [sys.executable, "-m", "venv", home], [*pip, "-r", PINS / "litellm.txt"])


def prepare_portkey() -> str:
    missing = next((tool for tool in ("node", "npm") if not shutil.which(tool)), "")
    if missing:
        return f"{missing} is not installed"
    home = HOMES / "portkey"
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    copy = [sys.executable, "-c", "import shutil, sys; shutil.copy(*sys.argv[1:])"]
    return _install(
        "portkey.json",
        home,
        [*copy, PINS / "portkey.json", home / "package.json"],
        ["npm", "install", "--prefix", home, *options],
    )


def _install(pins: str, home: Path, *commands: Sequence[str | Path]) -> str:
    """Bring an environment to what its pins say; return why it can't be, '' where it is there."""
    stamp, digest = home / ".pins.sha256", hashlib.sha256((PINS / pins).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return ""
    say(f"installing {home.name} into {home} (once; a minute or two)")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with Path(f"{home}.log").open("wb") as log:
        for command in commands:
            if not _runs(command, log.fileno()):
                return f"could not be installed: see {home}.log; is the package registry reachable?"
    stamp.write_text(digest)
    return ""


def _runs(command: Sequence[str | Path], log: int) -> bool:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=INSTALL_SECONDS,
            check=False,
            **bind_to_parent(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


# --- systems -------------------------------------------------------------------


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[System]:
    """Run nginx: it only passes on, the limit of what can be reached."""
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    command = [find_nginx() or "nginx", "-c", config, "-p", folder]
    with _serving("nginx", folder, command, port, "/") as pid:
        yield System("nginx", port, pid)


@contextmanager
def litellm(folder: Path, upstream: int) -> Iterator[System]:
    """Run LiteLLM's proxy with one model and a master key; it keeps no account of anything."""
    port, config = free_port(), folder / "litellm.yaml"
    config.write_text(LITELLM.format(upstream=upstream, master_key=MASTER_KEY))
    options = ["--config", config, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    # Without these it asks the network for its table of prices, and writes lines for every request.
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    command = ["env", "-u", "DATABASE_URL", HOMES / "litellm" / "bin" / "litellm", *options]
    with _serving("litellm", folder, command, port, "/health/liveliness", quiet) as pid:
        yield System("litellm", port, pid, bearer(MASTER_KEY))


@contextmanager
def portkey(folder: Path, upstream: int) -> Iterator[System]:
    """Run Portkey's gateway; each request names the upstream, and no key is checked."""
    port, home = free_port(), HOMES / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
    command = ["node", home / "build" / "start-server.js", f"--port={port}", "--headless"]
    named = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
    with _serving("portkey", folder, command, port, "/", {"NODE_ENV": "production"}) as pid:
        yield System("portkey", port, pid, {**bearer("sk-upstream"), **named})


@contextmanager
def _serving(
    name: str,
    folder: Path,
    command: Sequence[str | Path],
    port: int,
    path: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    log = folder / f"{name}.log"
    with running(command, core=gateway_core(), log=log, environment=environment) as process:
        wait_until_ready(f"http://127.0.0.1:{port}{path}", process, log)
        yield process.pid
