"""Which words of a provider may quote a request."""

import pytest

from routing.echoes import MAX_TEXT, drop_echo

SECRET = "My daughter's birthday is on the fourth of May."


def asked(content):
    return {"model": "deepseek", "messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    "words",
    [
        f"invalid message: {SECRET}",
        f"invalid message: {SECRET[9:29]}...",
        "invalid message: MY DAUGHTER'S\tBIRTHDAY IS ON...",
        "invalid message: M y d a u g h t e r ' s b i r t h d a y",
        r"invalid message: \u4f60\u597d",
        "invalid message: %E4%BD%A0",
    ],
)
def test_words_that_quote_the_request_are_dropped(words):
    assert drop_echo(words, asked(SECRET)) == ""


def test_a_short_text_counts_as_a_whole():
    assert drop_echo("can't answer 'pass 42'", asked("Pass 42")) == ""
    assert drop_echo("high load: try again", asked("Hi")) == "high load: try again"


@pytest.mark.parametrize("place", ["tools", "response_format", "metadata"])
def test_texts_anywhere_in_the_request_count(place):
    assert drop_echo(f"bad: {SECRET}", {**asked("Hello"), place: [{"deep": {"description": SECRET}}]}) == ""


@pytest.mark.parametrize("words", ["The account 4711 is out of credit.", "model deepseek-v4 is overloaded", ""])
def test_other_words_are_kept(words):
    assert drop_echo(words, asked(SECRET)) == words


def test_a_request_too_long_to_look_through_keeps_no_words():
    assert drop_echo("engine died", asked("x" * (MAX_TEXT + 1))) == ""


def test_the_data_of_images_is_not_looked_through():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * MAX_TEXT}}
    assert drop_echo("engine died", asked([image])) == "engine died"


def test_words_beside_very_many_texts_are_dropped_unread():
    body = {"messages": [{"role": "user", "content": ["x"] * 10_000}]}
    assert drop_echo("the model is loading", body) == ""
