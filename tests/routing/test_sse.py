"""A byte stream is cut into the data of its events, however it was cut before."""

import pytest

from routing import sse

EVENTS = [
    (b'data: {"a":1}\n\n', [b'{"a":1}']),
    (b'data:{"a":1}\n\n', [b'{"a":1}']),
    (b'data: {"a":1}\r\n\r\n', [b'{"a":1}']),
    (b'\xef\xbb\xbfdata: {"a":1}\n\n', [b'{"a":1}']),
    (b'\n\n: keep-alive\n\nid: 1\nevent: x\nretry: 5\ndata: {"a":1}\n\n', [b'{"a":1}']),
    (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}']),
    (b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n\n', [b'{"a":1}', b'{"b":2}', b"[DONE]"]),
    (b"data:\n\ndata: \n\ndata: x\n\n", [b"x"]),
    (b"data: x", [b"x"]),
    (b'{\n "error": 1\n}', [b'{\n "error": 1\n}']),
    (b"<html>\nsign in", [b"<html>\nsign in"]),
    (b'data: x\n\n{"error": 1}\n', [b"x", b'{"error": 1}']),
    (b"data: x\n\nnoise\n", [b"x"]),
    (b"", []),
]


@pytest.mark.parametrize(("stream", "events"), EVENTS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_events_are_found_wherever_they_are_cut(stream, events, size):
    splitter = sse.EventSplitter()
    reads = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [data for read in reads for data in splitter.feed(read)] + splitter.finish() == events


def test_a_line_of_any_length_is_read_in_time_that_grows_with_it_alone():
    splitter, read = sse.EventSplitter(), b"x" * 1000
    assert splitter.feed(b"data: ") == []
    for _ in range(5_000):
        splitter.feed(read)
    assert splitter.feed(b"\n\n") == [read * 5_000]


def test_a_line_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    splitter = sse.EventSplitter()
    splitter.feed(b"x" * 900 + b"\n")
    with pytest.raises(sse.EventTooLargeError):
        splitter.feed(b"y" * 101)
