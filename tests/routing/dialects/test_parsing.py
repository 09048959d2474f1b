"""What comes from outside is JSON that can be written again, or an UpstreamFault."""

import pytest

from routing.dialects.base import UpstreamFault
from routing.dialects.parsing import parse_json


@pytest.mark.parametrize("before", [b"", b"\n\n \r\n", b": keep-alive\n\n: keep-alive\r\n\r\n", b"\xef\xbb\xbf"])
def test_comments_and_blank_lines_before_it_are_left_out(before):
    assert parse_json(before + b'{"a": ": b"}') == {"a": ": b"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\ude00 x"', "\ufffd x"),
        (rb'"\ud83d\ude00\ud83d"', "\U0001f600\ufffd"),
        (rb'"\\ud83d \ud83d"', "\\ud83d \ufffd"),
    ],
)
def test_half_a_character_costs_only_itself(text, value):
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>", "not_json"),
        (b"", "not_json"),
        (b"\xff", "not_json"),
        (b'{"choices":[{"delta":{"content":"Heldata: {"choices":[]}', "spliced"),
        (b"[" * 300 + b"]" * 300, "nesting"),
        (b"[" * 3000, "not_json"),
    ],
)
def test_anything_else_says_why_it_is_none(data, reason):
    with pytest.raises(UpstreamFault) as caught:
        parse_json(data)
    assert caught.value.reason == reason
