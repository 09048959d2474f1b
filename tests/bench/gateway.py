"""What a short chat request costs: ours on both databases, beside the floor and others."""

import argparse

from tests.bench import arguments as common
from tests.bench.load import chat
from tests.bench.report import Report
from tests.bench.sides import compare
from tests.bench.systems import SYSTEMS

HELP = "short chat requests: ours on SQLite and on PostgreSQL, the floor, others"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_load(parser, connections="1,16,64")
    common.add_systems(parser, list(SYSTEMS))


def measure(arguments: argparse.Namespace) -> Report:
    return compare(
        "gateway",
        systems=arguments.systems,
        load_body=chat(),
        connections=arguments.connections,
        runs=arguments.runs,
        seconds=arguments.seconds,
    )
