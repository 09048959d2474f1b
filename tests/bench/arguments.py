"""Arguments that several parts take."""

import argparse
from collections.abc import Sequence


def positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10000000")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 600")
    return value


def positives(text: str) -> list[int]:
    return [positive(part) for part in text.split(",")]


def add_load(parser: argparse.ArgumentParser, *, connections: str) -> None:
    """Add how long and how hard is measured."""
    add_runs(parser)
    parser.add_argument(
        "--connections",
        type=positives,
        default=positives(connections),
        metavar="N,N",
        help=f"clients at once ({connections})",
    )


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add how long and how often is measured."""
    parser.add_argument("--runs", type=positive, default=3, metavar="N", help="medians are taken of so many (3)")
    parser.add_argument("--seconds", type=seconds, default=5.0, metavar="S", help="length of one measurement (5)")


def add_systems(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add which systems are measured."""

    def chosen(text: str) -> list[str]:
        found = text.split(",")
        if unknown := next((name for name in found if name not in names), None):
            raise argparse.ArgumentTypeError(f"{unknown!r} is none of {', '.join(names)}")
        return found

    help_ = f"which of {', '.join(names)}; all without it"
    parser.add_argument(
        "--only", "--systems", dest="systems", type=chosen, default=list(names), metavar="A,B", help=help_
    )
