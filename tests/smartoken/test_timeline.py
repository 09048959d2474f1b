"""The attempts of a request on one line of time."""

from billing.attempts import Attempt
from smartoken.timeline import draw_timeline


def attempt(outcome: str, at_ms: int | None = None, ms: int | None = None) -> Attempt:
    return Attempt("a · b · c", outcome, "", None, at_ms, ms, "")


def test_each_attempt_stands_where_it_began():
    drawn = draw_timeline([attempt("failed", 0, 100), attempt("answered", 120, 380)], total_ms=500, first_token_ms=None)
    assert [(bar.x, bar.width, bar.kind) for row in drawn.rows for bar in row.bars] == [
        (0, 200, "failed"),
        (240, 760, "answered"),
    ]
    assert [row.words for row in drawn.rows] == ["from 0 ms to 100 ms", "from 120 ms to 500 ms"]


def test_the_wait_for_the_first_token_is_told_from_the_answer():
    drawn = draw_timeline([attempt("answered", 0, 1000)], total_ms=1000, first_token_ms=250)
    assert [(bar.x, bar.width, bar.kind) for bar in drawn.rows[0].bars] == [(0, 250, "waited"), (250, 750, "answered")]
    assert drawn.first_token_x == 250


def test_a_route_that_was_passed_over_has_no_bar():
    drawn = draw_timeline([attempt("skipped")], total_ms=5, first_token_ms=None)
    assert (drawn.rows[0].bars, drawn.rows[0].words) == ([], "not asked")


def test_without_beginnings_attempts_follow_each_other():
    drawn = draw_timeline([attempt("failed", ms=100), attempt("answered", ms=300)], total_ms=400, first_token_ms=None)
    assert [bar.x for row in drawn.rows for bar in row.bars] == [0, 250]


def test_no_bar_leaves_the_line():
    drawn = draw_timeline([attempt("failed", 400, 0), attempt("answered", 900, 900)], total_ms=100, first_token_ms=None)
    bars = [bar for row in drawn.rows for bar in row.bars]
    assert all(bar.width > 0 and bar.x + bar.width <= 1000 for bar in bars)
