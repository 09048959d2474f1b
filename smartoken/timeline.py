"""The attempts of a request on one line of time, with its real times: a bar for each, in thousandths of its width.

Text stands beside the bars, not in them: so they stretch with the page, and words stay readable on a phone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from billing.attempts import Attempt
from smartoken.drawing import BROKEN, TAKEN

WIDTH = 1000
LEAST = 6
"""So wide is what took no time, to be seen at all."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time; ``kind`` is failed, waited (for the first token) or answered."""

    x: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Row:
    """An attempt and its bars; without bars it was passed over. ``words`` say when, for people who can't see them."""

    attempt: Attempt
    bars: Sequence[Bar]
    words: str


@dataclass(frozen=True, slots=True)
class Timeline:
    rows: Sequence[Row]
    total_ms: int
    first_token_ms: int | None
    first_token_x: float | None


def draw_timeline(attempts: Iterable[Attempt], *, total_ms: int, first_token_ms: int | None) -> Timeline:
    """Place the attempts between the beginning of a request and its end."""
    listed = list(attempts)
    span = max(total_ms, first_token_ms or 0, sum(attempt.ms or 0 for attempt in listed), 1)
    rows, end_ms = [], 0
    for attempt in listed:
        if attempt.ms is None:
            rows.append(Row(attempt, [], "not asked"))
            continue
        begin_ms = end_ms if attempt.at_ms is None else attempt.at_ms
        end_ms = begin_ms + attempt.ms
        words = f"from {begin_ms:,} ms to {end_ms:,} ms"
        rows.append(Row(attempt, _draw(attempt, begin_ms, end_ms, first_token_ms, span), words))
    first_x = None if first_token_ms is None else round(WIDTH * first_token_ms / span, 1)
    return Timeline(rows, total_ms, first_token_ms, first_x)


def _draw(attempt: Attempt, begin_ms: int, end_ms: int, first_token_ms: int | None, span: int) -> list[Bar]:
    if attempt.state == TAKEN and first_token_ms is not None and begin_ms < first_token_ms < end_ms:
        return [_bar(begin_ms, first_token_ms, span, "waited"), _bar(first_token_ms, end_ms, span, "answered")]
    return [_bar(begin_ms, end_ms, span, "failed" if attempt.state == BROKEN else "answered")]


def _bar(begin_ms: int, end_ms: int, span: int, kind: str) -> Bar:
    x = min(WIDTH * begin_ms / span, WIDTH - LEAST)
    return Bar(round(x, 1), round(min(max(WIDTH * (end_ms - begin_ms) / span, LEAST), WIDTH - x), 1), kind)
