"""What the gateway adds for those who wait: many slow streams at once, one client, one long prompt."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench import arguments as common
from tests.bench.listener import OPENING_SECONDS, SETTLING_SECONDS
from tests.bench.load import Load, chat, read, write_request
from tests.bench.machine import cpu_seconds, load_core, resident_mb, running
from tests.bench.report import Report, Row, say, take_medians
from tests.bench.sides import start
from tests.bench.system import System, upstream
from tests.bench.upstream import write_pace

HELP = "what is added to many slow streams at once, to one client, to a prompt of 200,000 tokens"
SYSTEMS = ("floor", "smartoken-sqlite", "smartoken-postgresql")
PROMPT_TOKENS = 200_000
TOKEN = "word "
TIMES = ("p50_ms", "p99_ms", "gap_p99_ms")
SAMPLE_SECONDS = 0.2


def slow_streams(text: str) -> list[tuple[int, int]]:
    """Read 400x20,1000x8: streams at once, events a second of each."""
    parts = [part.split("x") for part in text.split(",")]
    if any(len(part) != 2 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 400x20,1000x8")
    return [(common.positive(streams), common.positive(rate)) for streams, rate in parts]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_runs(parser)
    common.add_systems(parser, SYSTEMS)
    help_ = "streams at once x events a second of each (400x20,1000x8)"
    parser.add_argument("--streams", type=slow_streams, default=[(400, 20), (1000, 8)], metavar="NxN", help=help_)
    help_ = f"tokens of the long prompt ({PROMPT_TOKENS})"
    parser.add_argument("--tokens", type=common.positive, default=PROMPT_TOKENS, metavar="N", help=help_)


def measure(arguments: argparse.Namespace) -> Report:
    found: list[Row] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartoken-bench-")))
        direct = stack.enter_context(upstream(folder))
        systems, missing = start(stack, folder, direct.port, arguments.systems)
        for run in range(arguments.runs):
            for what, take in _plan(arguments, folder):
                say(f"run {run + 1} of {arguments.runs}: {what}")
                found += _compare(what, [take(system) for system in (direct, *systems)])
    kinds = dict.fromkeys((row["what"], row["system"]) for row in found)
    rows = [take_medians(row for row in found if (row["what"], row["system"]) == kind) for kind in kinds]
    return Report("concurrency", arguments.runs, rows, "one client, or streams that are open at once", missing)


def _plan(arguments: argparse.Namespace, folder: Path) -> list[tuple[str, Callable[[System], Row]]]:
    seconds, tokens = arguments.seconds, arguments.tokens
    streams = [
        (f"{streams} streams, {rate} events/s", partial(_take_streams, streams, rate, seconds, folder))
        for streams, rate in arguments.streams
    ]
    short, long = Load.of(chat()), Load.of(chat(TOKEN * tokens))
    return [
        ("one client", partial(_take_requests, short, seconds)),
        (f"{tokens} tokens", partial(_take_requests, long, seconds)),
        *streams,
    ]


def _compare(what: str, rows: list[Row]) -> list[Row]:
    """Add to each row of one turn what it has more than the first, which asks the upstream itself."""
    first = rows[0]
    added = [{f"added_{name}": row[name] - first[name] for name in TIMES if name in row} for row in rows]
    return [{"what": what, **row, **more} for row, more in zip(rows, added, strict=True)]


def _take_requests(load: Load, seconds: float, system: System) -> Row:
    load.run(system.port, system.headers, connections=1, seconds=min(1.0, seconds), whole=True)
    used = cpu_seconds(system.pid)
    took = load.run(system.port, system.headers, connections=1, seconds=seconds)
    cost = (cpu_seconds(system.pid) - used) / took["requests"] * 1000
    times = {name: float(took[name]) for name in ("p50_ms", "p99_ms")}
    return {"system": system.name, "cpu_s_per_1000": cost, "rss_mb": resident_mb(system.pid), **times}


def _take_streams(streams: int, rate: int, seconds: float, folder: Path, system: System) -> Row:
    """Measure so many streams; memory is the most seen while they are open. Raises RuntimeError."""
    events = round(rate * (OPENING_SECONDS + SETTLING_SECONDS + seconds))
    headers = {"content-type": "application/json", **system.headers}
    request = folder / "request"
    request.write_bytes(write_request(chat(write_pace(events, rate), stream=True), headers))
    words = [str(number) for number in (system.port, streams, events, rate)]
    used, most, told = cpu_seconds(system.pid), 0.0, folder / "listener"
    told.write_bytes(b"")
    with running([sys.executable, "-m", "tests.bench.listener", *words, request], core=load_core(), log=told) as ear:
        while ear.poll() is None:
            most = max(most, resident_mb(system.pid))
            time.sleep(SAMPLE_SECONDS)
    took = read(told.read_text())
    if took["errors"]:
        raise RuntimeError(f"{took['errors']} of {streams} streams of {system.name} did not end as they should")
    cost = (cpu_seconds(system.pid) - used) / took["events"] * 1000
    return {"system": system.name, "cpu_s_per_1000": cost, "rss_mb": most, **{name: took[name] for name in TIMES}}
