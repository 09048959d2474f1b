"""Measures systems side by side: all of them run, and take turns under the same load."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import systems as known
from tests.bench.load import Load
from tests.bench.machine import cpu_seconds, resident_mb
from tests.bench.report import Report, Row, say, take_medians

WARM_SECONDS = 1.0


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
    missing = {name: why for name in systems if (why := known.find_missing(name))}
    found: list[Row] = []
    load = Load.of(load_body)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartoken-bench-")))
        upstream = stack.enter_context(known.upstream(folder, events=events))
        started = []
        for name in [name for name in systems if name not in missing]:
            say(f"starting {name}")
            started.append(stack.enter_context(known.SYSTEMS[name](folder, upstream)))
        for run in range(runs):
            for count in connections:
                for system in started:
                    row = measure(system, load, connections=count, seconds=seconds, events=events)
                    say(f"run {run + 1} of {runs}: {system.name}, {count} at once: {row['rps']:.0f} requests/s")
                    found.append(row)
                _add_ratios(found[-len(started) :])
    rows = [
        take_medians(row for row in found if (row["system"], row["connections"]) == (system.name, count))
        for count in connections
        for system in started
    ]
    return Report(part, runs, rows, load.tool, [f"{name} ({why})" for name, why in missing.items()])


def measure(system: known.System, load: Load, *, connections: int, seconds: float, events: int) -> Row:
    """Return the row of one measurement, after a short one that warms caches and connections."""
    load.run(system.port, system.headers, connections=connections, seconds=min(WARM_SECONDS, seconds))
    before = _cpu(system)
    took = load.run(system.port, system.headers, connections=connections, seconds=seconds)
    own, database = (later - earlier for later, earlier in zip(_cpu(system), before, strict=True))
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


def _cpu(system: known.System) -> tuple[float, float]:
    database = system.database_pid
    return cpu_seconds(system.pid), cpu_seconds(database) if database else 0.0


def _add_ratios(rows: list[Row]) -> None:
    """Add to the rows of one turn what each costs in the floor's CPU, where the floor took part."""
    floor = next((row["cpu_s_per_1000"] for row in rows if row["system"] == "floor"), 0.0)
    for row in rows:
        if floor:
            row["cpu_in_floors"] = row["cpu_s_per_1000"] / floor
