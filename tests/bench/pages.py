"""How long the site's pages take, public and console, beside a million usage records on PostgreSQL."""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import arguments as common
from tests.bench.history import running_site
from tests.bench.report import Report, say
from tests.bench.system import upstream

HELP = "how long each public and console page takes beside many usage records"
DAYS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=common.positive, default=15, metavar="N", help="readings of each page (15)")
    help_ = f"usage records of the last {DAYS} days (1000000)"
    parser.add_argument("--records", type=common.positive, default=1_000_000, metavar="N", help=help_)


def measure(arguments: argparse.Namespace) -> Report:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartoken-bench-")))
        source = stack.enter_context(upstream(folder))
        say("starting smartoken-postgresql")
        site = stack.enter_context(running_site(folder, source.port))
        site.work("fill", 1, arguments.records, 0, DAYS)
        say("rolling up")
        site.work("roll_up")
        found = site.work("pages")
        say(f"reading {len(found['addresses'])} pages")
        rows = site.time_pages(found["addresses"], found["cookie"], runs=arguments.runs)
    broken = [f"{row['page']} (answers {row['status']})" for row in rows if row["status"] != 200]
    rows = [row for row in rows if row["status"] == 200]
    return Report("pages", arguments.runs, rows, f"one reader, {arguments.records} usage records", broken)
