"""Whether cost and memory of requests, pages, sums and forgetting stay the same while usage grows.

One gateway runs through all steps. The first step's records are those of the last days, each further
step puts older ones behind them: what a page shows stays the same, what lies under it grows.
"""

import argparse
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import arguments as common
from tests.bench.history import Site, running_site
from tests.bench.load import Load, chat
from tests.bench.report import Report, Row, say, take_medians
from tests.bench.sides import measure as measure_load
from tests.bench.system import upstream

HELP = "cost of requests, pages, sums and forgetting at 0, 1 and 10 million usage records"
RECENT_DAYS = 30
DAYS = 60
FORGOTTEN = 20_000
"""Records that are older than is kept, in each step."""
KEPT_DAYS = 400
OLD_IDS = 10**9
READINGS = 15
PAGES = {
    "dashboard_ms": "/console/",
    "usage_ms": "/console/usage/",
    "wallet_ms": "/console/wallet/",
    "statement_ms": f"/console/statements/{datetime.now(UTC):%Y-%m}/",
}


def steps(text: str) -> list[int]:
    found = [0 if part == "0" else common.positive(part) for part in text.split(",")]
    if found != sorted(set(found)):
        raise argparse.ArgumentTypeError(f"{text!r} does not rise")
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=common.seconds, default=5.0, metavar="S", help="length of each load (5)")
    parser.add_argument("--runs", type=common.positive, default=3, metavar="N", help="loads at each step (3)")
    parser.add_argument("--connections", type=common.positive, default=64, metavar="N", help="clients at once (64)")
    help_ = "usage records at each step (0,1000000,10000000)"
    parser.add_argument("--records", type=steps, default=[0, 10**6, 10**7], metavar="N,N", help=help_)


def measure(arguments: argparse.Namespace) -> Report:
    load, rows, before = Load.of(chat()), [], 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartoken-bench-")))
        source = stack.enter_context(upstream(folder))
        say("starting smartoken-postgresql")
        site = stack.enter_context(running_site(folder, source.port))
        for step, count in enumerate(arguments.records):
            say(f"growing to {count} records")
            _grow(site, before, count)
            site.work("fill", OLD_IDS + step * FORGOTTEN, FORGOTTEN, KEPT_DAYS, 1)
            site.work("roll_up")  # what was filled in is not what is measured
            figures = _measure_requests(site, load, arguments)
            rows.append({"records": count, **figures, **_measure_pages(site), **_measure_work(site)})
            before = count
    return Report("growth", arguments.runs, rows, load.tool)


def _grow(site: Site, before: int, count: int) -> None:
    """Bring the books to so many records, in the sums too."""
    if before == 0 < count:
        site.work("fill", 1, count, 0, RECENT_DAYS)
        site.work("roll_up")
    elif count:
        site.work("fill", before + 1, count - before, RECENT_DAYS, DAYS - RECENT_DAYS)
        site.work("rebuild", RECENT_DAYS, DAYS - RECENT_DAYS)


def _measure_requests(site: Site, load: Load, arguments: argparse.Namespace) -> Row:
    found = []
    for run in range(arguments.runs):
        row = measure_load(site.system, load, connections=arguments.connections, seconds=arguments.seconds, events=0)
        say(f"run {run + 1} of {arguments.runs}: {row['rps']:.0f} requests/s")
        found.append({name: value for name, value in row.items() if name not in ("system", "connections")})
    return take_medians(found)


def _measure_pages(site: Site) -> Row:
    cookie = site.work("pages")["cookie"]
    rows = site.time_pages(list(PAGES.values()), cookie, runs=READINGS)
    return {name: row["p50_ms"] for name, row in zip(PAGES, rows, strict=True)}


def _measure_work(site: Site) -> Row:
    """Return the ms for 1,000 records of summing those that came and of forgetting those that are too old."""
    summed, forgotten = site.work("roll_up"), site.work("forget", USAGE_DAYS=str(KEPT_DAYS))
    return {f"{name}_ms_per_1000": _per_thousand(done) for name, done in (("sum", summed), ("forget", forgotten))}


def _per_thousand(done: dict[str, Any]) -> float | str:
    return done["seconds"] * 1000 / done["records"] * 1000 if done["records"] else "-"
