"""Where things stand in the picture of a request's path: app, gateway, routes.

The picture is drawn twice from the same stations: side by side for wide screens, and
as a line from top to bottom for phones, where text must stay readable at 360 pixels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

TAKEN, WAITING, BROKEN = "taken", "waiting", "broken"

APP_WIDTH, GATEWAY_WIDTH, ROUTE_WIDTH, GAP = 128, 156, 196, 44
ROUTE_HEIGHT, ROUTE_GAP, MARGIN = 56, 22, 6
TALL_WIDTH, TALL_HEIGHT, TALL_GAP, RAIL = 286, 58, 14, 12
LONGEST_TITLE = 27


@dataclass(frozen=True, slots=True)
class Station:
    """One stop of a request; ``state`` is taken, waiting or broken."""

    title: str
    note: str = ""
    figure: str = ""
    state: str = TAKEN
    is_gateway: bool = False


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
        return self.x + 14

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
        return self.right - 14 if self.is_tall else self.text_x

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
    """Return a station for each ``{"name", "note", "state"}``; without a state it waits."""
    return [
        Station(title=_cut(route["name"]), note=route.get("note", ""), state=route.get("state") or WAITING)
        for route in routes
    ]


def _cut(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"


def _reached(app: Station, gateway: Station) -> str:
    return WAITING if BROKEN in (app.state, gateway.state) else TAKEN


def draw_wide(app: Station, gateway: Station, routes: Sequence[Station]) -> Drawing:
    """Place the stations from left to right, the routes below each other."""
    height = max(150, len(routes) * (ROUTE_HEIGHT + ROUTE_GAP) - ROUTE_GAP + 2 * MARGIN)
    middle = height / 2
    first = Box(app, MARGIN, middle - 33, APP_WIDTH, 66)
    second = Box(gateway, first.right + GAP + 8, middle - 45, GATEWAY_WIDTH, 90)
    left = second.right + GAP
    drawing = Drawing(left + ROUTE_WIDTH + MARGIN, height, [first, second])
    drawing.lines.append(
        Line(f"M{first.right} {middle}H{second.x}", second.x, middle, WAITING if app.state == BROKEN else TAKEN)
    )
    top = middle - (len(routes) * (ROUTE_HEIGHT + ROUTE_GAP) - ROUTE_GAP) / 2
    for number, route in enumerate(routes):
        box = Box(route, left, top + number * (ROUTE_HEIGHT + ROUTE_GAP), ROUTE_WIDTH, ROUTE_HEIGHT)
        bend = second.right + GAP / 2
        way = f"M{second.right} {middle}C{bend} {middle} {bend} {box.middle} {left} {box.middle}"
        drawing.boxes.append(box)
        drawing.lines.append(Line(way, left, box.middle, _line_state(app, gateway, route)))
    return drawing


def draw_tall(app: Station, gateway: Station, routes: Sequence[Station]) -> Drawing:
    """Place the stations on a line from top to bottom."""
    drawing = Drawing(RAIL + 24 + TALL_WIDTH + MARGIN, MARGIN)
    for station in (app, gateway, *routes):
        box = Box(station, RAIL + 24, drawing.height, TALL_WIDTH, TALL_HEIGHT, is_tall=True)
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
    parts = [f"{app.title} calls {gateway.title}" + (f" ({gateway.note})" if gateway.note else "")]
    if gateway.state == BROKEN:
        parts.append("the request stopped there")
    parts += [f"{route.title} {words[route.state]}" for route in routes]
    return "; ".join(parts) + "."
