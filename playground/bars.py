"""A row of hours or days as a picture: full where all went well, red from the top where requests failed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEIGHT = 26
LEAST = 5
"""A failure is at least so high, however few of many requests it was."""
SIZES = {"hour": (8, 3), "day": (3, 1)}
"""Width of a cell and of the gap behind it."""
NAMED = 5
"""So many cells with failures are named in the words beside the picture."""


@dataclass(slots=True)
class Cell:
    """What happened in an hour or a day: requests that ended well or failed, probes answered or not."""

    completed: int = 0
    failed: int = 0
    answered: int = 0
    unanswered: int = 0
    first_token_ms: int = 0
    timed: int = 0

    @property
    def has_traffic(self) -> bool:
        return bool(self.completed or self.failed)

    @property
    def has_probes(self) -> bool:
        return not self.has_traffic and bool(self.answered or self.unanswered)

    @property
    def bad_share(self) -> float:
        """Return the share of requests that failed, or of probes where there was no request."""
        bad, good = (self.failed, self.completed) if self.has_traffic else (self.unanswered, self.answered)
        return bad / (bad + good) if bad else 0.0


@dataclass(frozen=True, slots=True)
class Bar:
    """SVG paths of one picture, and the same in words."""

    width: int
    height: int
    good: str
    probed: str
    bad: str
    idle: str
    label: str


def draw_bar(cells: Sequence[Cell], *, names: Sequence[str], unit: str) -> Bar:
    """Draw the cells, oldest first; ``names`` are their times in words, ``unit`` is hour or day."""
    width, gap = SIZES[unit]
    paths: dict[str, list[str]] = {"good": [], "probed": [], "bad": [], "idle": []}
    for number, cell in enumerate(cells):
        at = number * (width + gap)
        kind = "good" if cell.has_traffic else "probed" if cell.has_probes else "idle"
        if kind == "idle":
            paths[kind].append(f"M{at} {HEIGHT - 2}h{width}v2h-{width}z")
            continue
        bad = _bad_height(cell.bad_share)
        if bad:
            paths["bad"].append(f"M{at} 0h{width}v{bad}h-{width}z")
        top = bad + 1 if bad else 0  # a line of paper between the two parts
        if top < HEIGHT:
            paths[kind].append(f"M{at} {top}h{width}v{HEIGHT - top}h-{width}z")
    return Bar(
        width=len(cells) * (width + gap) - gap,
        height=HEIGHT,
        label=describe_cells(cells, names, unit),
        **{kind: "".join(parts) for kind, parts in paths.items()},
    )


def _bad_height(share: float) -> int:
    if share in (0, 1):
        return int(HEIGHT * share)
    return min(max(round(HEIGHT * share), LEAST), HEIGHT - LEAST)


def describe_cells(cells: Sequence[Cell], names: Sequence[str], unit: str) -> str:
    """Say the picture in words."""
    busy = [(name, cell) for name, cell in zip(names, cells, strict=True) if cell.has_traffic]
    quiet = [(name, cell) for name, cell in zip(names, cells, strict=True) if cell.has_probes]
    parts = [f"{_count(len(busy), unit)} with traffic" if busy else f"no traffic in these {len(cells)} {unit}s"]
    if failing := _name_failing(busy):
        parts.append(f"failures: {failing}")
    elif busy:
        parts.append("no failure")
    if quiet:
        failing = _name_failing(quiet)
        parts.append(f"{_count(len(quiet), unit)} with probes only, " + (failing or "all answered"))
    return "; ".join(parts) + "."


def _name_failing(cells: Iterable[tuple[str, Cell]]) -> str:
    failing = [f"{name} {_percent(cell.bad_share)} failed" for name, cell in cells if cell.bad_share]
    named, rest = failing[-NAMED:], len(failing) - NAMED
    return ", ".join(named) + (f" and {rest} earlier" if rest > 0 else "")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
