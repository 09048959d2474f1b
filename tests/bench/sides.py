"""Measures systems side by side: all of them run, and take turns under the same load."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import ratios
from tests.bench import systems as known
from tests.bench.load import OWN, Load
from tests.bench.machine import cpu_seconds, resident_mb
from tests.bench.report import Report, Row, say, take_medians
from tests.bench.system import System, upstream

WARM_SECONDS = 1.0
FEW = 50
"""Requests of a connection below which those that are cut at the end would weigh."""


def compare(
    part: str,
    *,
    systems: Sequence[str],
    load_body: bytes,
    connections: Sequence[int],
    runs: int,
    seconds: float,
    events: int = 0,
) -> Report:
    """Return a row for each system and number of connections; with ``events`` in a stream, per 1,000 of them."""
    found: list[Row] = []
    load = Load.of(load_body)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartoken-bench-")))
        source = stack.enter_context(upstream(folder, events=events))
        started, missing = start(stack, folder, source.port, systems)
        for run in range(runs):
            for count in connections:
                turn = []
                for system in started:
                    row = measure(system, load, connections=count, seconds=seconds, events=events)
                    say(f"run {run + 1} of {runs}: {system.name}, {count} at once: {row['rps']:.0f} requests/s")
                    turn.append(row)
                ratios.add(turn)
                found += turn
    rows = [
        take_medians(row for row in found if (row["system"], row["connections"]) == (system.name, count))
        for count in connections
        for system in started
    ]
    return Report(part, runs, rows, OWN if events else _name_load(load), missing, ratios.tell(rows, goals=not events))


def start(stack: ExitStack, folder: Path, upstream_port: int, names: Sequence[str]) -> tuple[list[System], list[str]]:
    """Start systems; return them, and the names of those that can't be measured here with the reason."""
    unready = {name: why for name in names if (why := known.prepare(name))}
    started = []
    for name in [name for name in names if name not in unready]:
        say(f"starting {name}")
        try:
            started.append(stack.enter_context(known.SYSTEMS[name](folder, upstream_port)))
        except RuntimeError as error:
            if name not in known.PEERS:
                raise
            unready[name] = str(error)
    return started, [f"{name} ({why})" for name, why in unready.items()]


def measure(system: System, load: Load, *, connections: int, seconds: float, events: int) -> Row:
    """Return the row of one measurement, after a short one that warms caches and connections."""
    warm = min(WARM_SECONDS, seconds)
    before = load.run(system.port, system.headers, connections=connections, seconds=warm, whole=True)
    is_slow = before["requests"] / before["seconds"] * seconds < FEW * connections
    used = _cpu(system)
    took = load.run(
        system.port, system.headers, connections=connections, seconds=seconds, whole=is_slow or bool(events)
    )
    own, database = (later - earlier for later, earlier in zip(_cpu(system), used, strict=True))
    requests = took["requests"]
    row: Row = {"system": system.name, "connections": connections}
    if events:
        row["cpu_s_per_1000_events"] = own / (requests * events) * 1000
    return row | {
        "cpu_s_per_1000": own / requests * 1000,
        "database_cpu_s_per_1000": database / requests * 1000,
        "rps": requests / took["seconds"],
        **{name: float(took[name]) for name in ("p50_ms", "p95_ms", "p99_ms")},
        "rss_mb": resident_mb(system.pid),
    }


def _name_load(load: Load) -> str:
    return f"wrk, {OWN} below {FEW} requests a connection" if load.tool == "wrk" else load.tool


def _cpu(system: System) -> tuple[float, float]:
    database = system.database_pid
    return cpu_seconds(system.pid), cpu_seconds(database) if database else 0.0
