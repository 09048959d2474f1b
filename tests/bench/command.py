"""Reads the arguments of scripts/bench, runs a part and prints its report."""

import argparse
import importlib
import os
import resource
import signal
import sys
from typing import Any, NoReturn

PARTS = ("floor", "gateway", "stream", "concurrency", "money", "pages", "growth")


class OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"scripts/bench: {message}; scripts/bench --help tells what there is\n")


def parse_arguments(words: list[str]) -> argparse.Namespace:
    parser = OneLineParser(prog="scripts/bench", description="Measure the gateway.", allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART", parser_class=OneLineParser)
    for name in PARTS:
        module = importlib.import_module(f"tests.bench.{name}")
        part = parts.add_parser(name, help=module.HELP, description=module.HELP, allow_abbrev=False)
        part.set_defaults(measure=module.measure)
        part.add_argument("--json", action="store_true", help="print an object instead of a table")
        module.add_arguments(part)
    return parser.parse_args(words)


def stop(number: int, frame: Any) -> NoReturn:
    sys.exit(128 + number)  # through the context managers, which end what was started


def main(words: list[str]) -> int:
    arguments = parse_arguments(words)
    if arguments.check:
        return 0
    if not hasattr(os, "sched_setaffinity"):
        print("scripts/bench: needs Linux: it pins processes to cores and reads /proc", file=sys.stderr)
        return 1
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand streams are two thousand sockets
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        report = arguments.measure(arguments)
    except RuntimeError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 1
    print(report.as_json() if arguments.json else report.as_table(), flush=True)
    return 0
