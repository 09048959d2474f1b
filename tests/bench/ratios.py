"""What a system costs in the CPU of another that was measured beside it, in the same turn."""

from tests.bench.report import Row

PARTNERS = ("floor", "litellm", "portkey")
GOALS = {"floor": 2, "litellm": 1 / 20, "portkey": 1 / 2}
"""What is to be reached at 64 connections on PostgreSQL, for whole answers."""


def add(turn: list[Row]) -> None:
    """Add to the rows of one turn the CPU of each in that of the partners that took part."""
    costs = {row["system"]: row["cpu_s_per_1000"] for row in turn}
    for partner in PARTNERS:
        for row in turn:
            if costs.get(partner):
                row[f"cpu_in_{partner}s"] = row["cpu_s_per_1000"] / costs[partner]


def tell(rows: list[Row], *, goals: bool) -> list[str]:
    """Return a sentence for each row of ours that had a partner, with the goals where they were set."""
    found = []
    for row in rows:
        has_goals = goals and (row["system"], row["connections"]) == ("smartoken-postgresql", 64)
        if row["system"].startswith("smartoken") and (parts := _parts(row, has_goals)):
            found.append(f"{row['system']}, {row['connections']} at once: {', '.join(parts)}")
    return found


def _parts(row: Row, has_goals: bool) -> list[str]:
    found = []
    for partner in PARTNERS:
        if ratio := row.get(f"cpu_in_{partner}s"):
            goal = f" (goal: {write(GOALS[partner]).removesuffix(' of')})" if has_goals else ""
            found.append(f"{write(ratio)} the CPU of {partner}{goal}")
    return found


def write(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio >= 1 else f"1/{1 / ratio:.2g} of"
