"""The systems that are measured, by name."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.bench import ours, peers
from tests.bench.system import System

SYSTEMS: dict[str, Callable[[Path, int], AbstractContextManager[System]]] = {
    "smartoken-sqlite": ours.sqlite,
    "smartoken-postgresql": ours.postgresql,
    "floor": ours.floor,
    "nginx": peers.nginx,
    "litellm": peers.litellm,
    "portkey": peers.portkey,
}
"""Each is started on a folder for its files and the upstream's port."""

PEERS: dict[str, Callable[[], str]] = {
    "nginx": peers.prepare_nginx,
    "litellm": peers.prepare_litellm,
    "portkey": peers.prepare_portkey,
}


def prepare(name: str) -> str:
    """Install what a system needs and is not there; return why it can't be measured, '' where it can."""
    return PEERS[name]() if name in PEERS else ""
