"""The parts that pages share: the request's picture, meters, short numbers, the table's heads."""

import re

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from playground.question import Question
from smartoken.browsers import name_browser
from smartoken.templatetags.page import names, price, tokens


def draw(arguments, **values):
    return Template("{% request_path " + arguments + " %}").render(Context(values))


def test_the_picture_says_itself_in_words():
    routes = [{"name": "DeepSeek", "state": "taken"}, {"name": "Spare"}]
    html = draw('gateway_note="deepseek" routes=routes', routes=routes)
    assert 'aria-label="Your app calls SmarToken (deepseek); DeepSeek answers; Spare waits."' in html


def test_the_picture_is_drawn_for_wide_screens_and_for_phones():
    html = draw("routes=routes", routes=[{"name": "A"}])
    assert "path-wide" in html and "path-tall" in html


def test_a_broken_gateway_is_marked_and_leads_nowhere():
    html = draw('broken="gateway" routes=routes', routes=[{"name": "A", "state": "taken"}])
    assert 'class="broken gate"' in html
    assert 'class="way waiting"' in html


def test_the_picture_escapes_what_it_shows():
    assert "<b>" not in draw("routes=routes", routes=[{"name": "<b>bold</b>"}])


def test_a_long_name_stays_inside_its_box():
    html = draw("routes=routes", routes=[{"name": "A provider with a very long name indeed"}])
    assert "A provider with a very lo…" in html


def test_every_part_of_the_picture_stays_inside_it():
    html = draw("routes=routes", routes=[{"name": f"Route {number}"} for number in range(4)])
    for svg in re.findall(r"<svg.*?</svg>", html, re.S):
        width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
        for box in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg):
            x, y, across, down = map(float, box)
            assert x >= 0 and y >= 0 and x + across <= width and y + down <= height


def test_boxes_grow_with_their_texts():
    html = draw('gateway_note="a-model-with-a-long-id-too" routes=routes', routes=[{"name": "A"}])
    widths = [float(width) for width in re.findall(r'<rect [^>]*? width="([\d.]+)"', html)]
    assert widths[1] >= len("a-model-with-a-long-id-too") * 6.9 + 28


def test_a_route_shows_how_long_it_took():
    html = draw("routes=routes", routes=[{"name": "A", "figure": "812 ms", "state": "taken"}])
    assert html.count(">812 ms</text>") == 2 and "A answers (812 ms)" in html


def test_what_broke_is_crossed_out():
    assert draw('broken="gateway"').count('class="cross"') == 2
    assert 'class="cross"' not in draw("")


def test_a_link_to_the_present_page_says_so():
    template = Template('{% nav_link "models" "Models" %}')
    request = RequestFactory().get("/models/")
    request.resolver_match = type("Match", (), {"url_name": "models"})
    assert 'aria-current="page"' in template.render(Context({"request": request}))
    assert "aria-current" not in template.render(Context({}))


def test_a_link_to_no_page_is_left_out():
    assert Template('{% nav_link "nowhere" "Nowhere" %}').render(Context({})) == ""


@pytest.mark.parametrize(("count", "text"), [(128_000, "128K"), (1_000_000, "1M"), (8192, "8.192K"), (None, "–")])
def test_tokens_are_written_short(count, text):
    assert tokens(count) == text


@pytest.mark.parametrize(("micros", "text"), [(500_000, "$0.50"), (75_000, "$0.075"), (0, "$0.00"), (None, "–")])
def test_prices_have_two_decimals_or_as_many_as_they_need(micros, text):
    assert price(micros) == text


def test_names_are_written_as_words():
    assert names(["A"]) == "A"
    assert names(["A", "B"]) == "A and B"
    assert names(["A", "B", "C", "D", "E"]) == "A, B, C and 2 more"


def test_a_head_turns_its_own_order_around_and_keeps_the_filters():
    columns = {each["label"]: each for each in Question.read({"sort": "input", "dir": "asc", "served": "1"}).columns()}
    assert columns["Input"]["href"] == "?sort=input&dir=desc&served=1"
    assert columns["Input"]["order"] == "ascending"
    assert columns["Context"]["href"] == "?sort=context&dir=desc&served=1"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140 on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/149.0 Safari/537.36 Edg/149.0",
            "Edge 149 on Windows",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X) Version/18.2 Safari/605.1.15", "Safari 18 on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18) CriOS/149.0 Mobile Safari/604.1", "Chrome 149 on iPhone"),
        ("curl/8.9.1", "curl/8.9.1"),
        ("", "not known"),
    ],
)
def test_a_browser_is_called_by_its_name(agent, name):
    assert name_browser(agent) == name
