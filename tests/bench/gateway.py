"""What a short chat request costs: ours on both databases, beside the floor and others."""

import argparse

from tests.bench import arguments as common
from tests.bench.load import chat
from tests.bench.report import Report
from tests.bench.sides import compare

HELP = "short chat requests: ours on SQLite and on PostgreSQL, the floor, others"
SYSTEMS = ("floor", "smartoken-sqlite", "smartoken-postgresql", "nginx", "litellm", "portkey")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_load(parser, connections="1,16,64")
    common.add_systems(parser, SYSTEMS)


def measure(arguments: argparse.Namespace) -> Report:
    return compare(
        "gateway",
        systems=arguments.systems,
        load_body=chat(),
        connections=arguments.connections,
        runs=arguments.runs,
        seconds=arguments.seconds,
    )
