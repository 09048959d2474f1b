"""Server-sent events: cutting a byte stream into the data of its events, and writing them.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

KEEP_ALIVE = b": keep-alive\n"
"""One newline only: with a blank line it would be an empty event, which breaks older Go clients."""

DONE = b"data: [DONE]\n\n"


class EventSplitter:
    """Takes reads as they come, cut anywhere; gives the data of each whole event.

    Comments, blank lines, CRLF, ``data:`` without a space and fields other than data
    are understood; data of several lines is joined by newlines.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, read: bytes) -> list[bytes]:
        """Return the data of the events that this read completes."""
        lines = (self._rest + read).split(b"\n")
        self._rest = lines.pop()
        events = []
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if line:
                self._take_line(line)
            elif self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events

    def finish(self) -> list[bytes]:
        """Return the data of a last event that no blank line ended."""
        line, self._rest = self._rest.rstrip(b"\r"), b""
        if line:
            self._take_line(line)
        data, self._data = self._data, []
        return [b"\n".join(data)] if data else []

    def _take_line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])


def write_event(data: bytes) -> bytes:
    """Return one event with this data (no newlines in it)."""
    return b"data: " + data + b"\n\n"
