"""What an event of a stream costs when events come as fast as they can, usage read and charged."""

import argparse

from tests.bench import arguments as common
from tests.bench.load import chat
from tests.bench.report import Report
from tests.bench.sides import compare
from tests.bench.systems import SYSTEMS

HELP = "streams whose events come as fast as they can"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_load(parser, connections="16")
    common.add_systems(parser, list(SYSTEMS))
    parser.add_argument("--events", type=common.positive, default=500, metavar="N", help="events of a stream (500)")


def measure(arguments: argparse.Namespace) -> Report:
    return compare(
        "stream",
        systems=arguments.systems,
        load_body=chat(stream=True),
        connections=arguments.connections,
        runs=arguments.runs,
        seconds=arguments.seconds,
        events=arguments.events,
    )
