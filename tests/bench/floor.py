"""What our server and our transport cost by themselves."""

import argparse

from tests.bench import arguments as common
from tests.bench.load import chat
from tests.bench.report import Report
from tests.bench.sides import compare

HELP = "our own server, transport and upstream, without key and money"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_load(parser, connections="1,16,64")


def measure(arguments: argparse.Namespace) -> Report:
    return compare(
        "floor",
        systems=["floor"],
        load_body=chat(),
        connections=arguments.connections,
        runs=arguments.runs,
        seconds=arguments.seconds,
    )
