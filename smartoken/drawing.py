"""Where things stand in the picture of a request's path: app, gateway, routes.

The picture is drawn twice from the same stations: side by side for wide screens, and
as a line from top to bottom for phones, where text must stay readable at 360 pixels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

TAKEN, WAITING, BROKEN = "taken", "waiting", "broken"

APP_WIDTH, GATEWAY_WIDTH, ROUTE_WIDTH, GAP = 116, 136, 160, 40
WIDEST = 216
ROUTE_HEIGHT, TIMED_HEIGHT, ROUTE_GAP, MARGIN = 56, 74, 20, 2
TALL_WIDTH, TALL_HEIGHT, TALL_GAP, RAIL = 280, 58, 14, 12
LONGEST_TITLE, LONGEST_NOTE, LONGEST_TALL = 26, 27, 34
TITLE_LETTER, NOTE_LETTER, PADDING = 7.3, 6.95, 14
"""How wide a letter is at most on average, in the sizes of static/css/path.css."""


@dataclass(frozen=True, slots=True)
class Station:
    """One stop of a request; ``state`` is taken, waiting or broken."""

    title: str
    note: str = ""
    figure: str = ""
    state: str = TAKEN
    is_gateway: bool = False

    def fit(self, least: float) -> float:
        """Return how wide a box its texts need."""
        letters = [len(self.title) * TITLE_LETTER, len(self.note) * NOTE_LETTER, len(self.figure) * NOTE_LETTER]
        return min(max(least, round(max(letters)) + 2 * PADDING), WIDEST)


@dataclass(frozen=True, slots=True)
class Box:
    """A station's rectangle, in the drawing's own units."""

    station: Station
    x: float
    y: float
    width: float
    height: float
    is_tall: bool = False

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def text_x(self) -> float:
        return self.x + PADDING

    @property
    def title_y(self) -> float:
        if self.is_tall:
            return self.middle + (-4 if self.station.note else 5)
        lines = 1 + bool(self.station.note) + bool(self.station.figure)
        return self.middle + 4.5 - (lines - 1) * 9.5

    @property
    def note_y(self) -> float:
        return self.title_y + (20 if self.is_tall else 19)

    @property
    def figure_x(self) -> float:
        return self.right - PADDING if self.is_tall else self.text_x

    @property
    def figure_y(self) -> float:
        return self.middle + 5 if self.is_tall else self.note_y + (20 if self.station.note else 0)


@dataclass(frozen=True, slots=True)
class Line:
    """A way between two stations, with a dot where it arrives."""

    way: str
    end_x: float
    end_y: float
    state: str


@dataclass(slots=True)
class Drawing:
    width: float
    height: float
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def read_routes(routes: Iterable[Mapping[str, str]]) -> list[Station]:
    """Return a station for each ``{"name", "note", "figure", "state"}``; without a state it waits."""
    return [
        make_station(route["name"], route.get("note", ""), route.get("figure", ""), route.get("state") or WAITING)
        for route in routes
    ]


def make_station(
    title: str, note: str = "", figure: str = "", state: str = TAKEN, *, is_gateway: bool = False
) -> Station:
    """Return a station whose texts are cut to what the widest box holds."""
    return Station(_cut(title, LONGEST_TITLE), _cut(note, LONGEST_NOTE), figure, state, is_gateway)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _reached(app: Station, gateway: Station) -> str:
    return WAITING if BROKEN in (app.state, gateway.state) else TAKEN


def draw_wide(app: Station, gateway: Station, routes: Sequence[Station]) -> Drawing:
    """Place the stations from left to right, the routes below each other."""
    tall = TIMED_HEIGHT if any(route.figure for route in routes) else ROUTE_HEIGHT
    across = max((route.fit(ROUTE_WIDTH) for route in routes), default=ROUTE_WIDTH)
    pile = len(routes) * (tall + ROUTE_GAP) - ROUTE_GAP
    height = max(88, pile) + 2 * MARGIN
    middle = height / 2
    first = Box(app, MARGIN, middle - 32, app.fit(APP_WIDTH), 64)
    second = Box(gateway, first.right + GAP, middle - 44, gateway.fit(GATEWAY_WIDTH), 88)
    left = second.right + GAP + 8
    drawing = Drawing(left + across + MARGIN, height, [first, second])
    drawing.lines.append(
        Line(f"M{first.right} {middle}H{second.x}", second.x, middle, WAITING if app.state == BROKEN else TAKEN)
    )
    for number, route in enumerate(routes):
        box = Box(route, left, middle - pile / 2 + number * (tall + ROUTE_GAP), across, tall)
        bend = second.right + GAP / 2
        way = f"M{second.right} {middle}C{bend} {middle} {bend} {box.middle} {left} {box.middle}"
        drawing.boxes.append(box)
        drawing.lines.append(Line(way, left, box.middle, _line_state(app, gateway, route)))
    return drawing


def draw_tall(app: Station, gateway: Station, routes: Sequence[Station]) -> Drawing:
    """Place the stations on a line from top to bottom."""
    drawing = Drawing(RAIL + 24 + TALL_WIDTH + MARGIN, MARGIN)
    for station in (app, gateway, *routes):
        beside = replace(station, note=_cut(station.note, LONGEST_TALL - len(station.figure)))
        box = Box(beside, RAIL + 24, drawing.height, TALL_WIDTH, TALL_HEIGHT, is_tall=True)
        earlier = drawing.boxes[-1].middle if drawing.boxes else box.middle
        state = TAKEN if station in (app, gateway) else _line_state(app, gateway, station)
        if station is gateway and app.state == BROKEN:
            state = WAITING
        drawing.boxes.append(box)
        drawing.lines.append(Line(f"M{RAIL} {earlier}V{box.middle}H{box.x}", RAIL, box.middle, state))
        drawing.height += TALL_HEIGHT + TALL_GAP
    drawing.height += MARGIN - TALL_GAP
    return drawing


def _line_state(app: Station, gateway: Station, route: Station) -> str:
    return WAITING if _reached(app, gateway) == WAITING else route.state


def describe(app: Station, gateway: Station, routes: Sequence[Station]) -> str:
    """Say the picture in words, for people who can't see it."""
    words = {TAKEN: "answers", WAITING: "waits", BROKEN: "failed"}
    parts = [f"{app.title} calls {gateway.title}{_tell(gateway.note)}"]
    if gateway.state == BROKEN:
        parts.append("the request stopped there")
    parts += [f"{route.title} {words[route.state]}{_tell(route.figure)}" for route in routes]
    return "; ".join(parts) + "."


def _tell(words: str) -> str:
    return f" ({words})" if words else ""
