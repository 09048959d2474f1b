"""Server-sent events: cutting a byte stream into the data of its events, and writing them.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

KEEP_ALIVE = b": keep-alive\n"
"""One newline only: with a blank line it would be an empty event, which breaks older Go clients."""

DONE = b"data: [DONE]\n\n"
MAX_EVENT_BYTES = 8 * 1024 * 1024

FIELDS = (b":", b"event:", b"id:", b"retry:")
BOM = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """An event, or what stands in its place, is longer than anything that makes sense."""


class EventSplitter:
    """Takes reads as they come, cut anywhere; gives the data of each whole event.

    Comments, blank lines, CRLF, ``data:`` without a space and fields other than data
    are understood; data of several lines is joined by newlines. Lines that are no
    events at all are given as one at the end: some providers answer a stream's request
    with plain JSON, above all when it is an error.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._stray = bytearray()
        self._size = 0
        self._has_given = False

    def feed(self, read: bytes) -> list[bytes]:
        """Return the data of the events that this read completes. Raises EventTooLargeError."""
        self._size += len(read)
        if self._size > MAX_EVENT_BYTES:
            raise EventTooLargeError
        if b"\n" not in read:
            self._line.append(read)
            return []
        self._line.append(read)
        lines = b"".join(self._line).split(b"\n")
        self._line = [lines.pop()]
        events: list[bytes] = []
        for line in lines:
            self._take_line(line.removesuffix(b"\r"), events)
        self._size = len(self._line[0]) + sum(map(len, self._data)) + len(self._stray)
        return events

    def finish(self) -> list[bytes]:
        """Return the data of a last event that no blank line ended, and of a body that was none."""
        events: list[bytes] = []
        self._take_line(b"".join(self._line).removesuffix(b"\r"), events)
        self._give(events)
        stray = bytes(self._stray).strip()
        self._line, self._stray = [], bytearray()
        return [*events, stray] if stray and (stray.startswith(b"{") or not self._has_given) else events

    def _take_line(self, line: bytes, events: list[bytes]) -> None:
        if line.startswith(BOM):
            line = line[len(BOM) :]
        if not line:
            self._give(events)
        elif line.startswith(b"data:"):
            data = line[6:] if line[5:6] == b" " else line[5:]
            # No JSON goes on so: the blank line between two events was left out.
            if self._data and self._data[-1].endswith(b"}") and data.startswith((b"{", b"[")):
                self._give(events)
            self._data.append(data)
        elif not line.startswith(FIELDS):
            self._stray += line + b"\n"

    def _give(self, events: list[bytes]) -> None:
        data, self._data = b"\n".join(self._data), []
        if data and not data.isspace():
            self._has_given = True
            events.append(data)


def write_event(data: bytes) -> bytes:
    """Return one event with this data (no newlines in it)."""
    return b"data: " + data + b"\n\n"
