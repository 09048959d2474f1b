"""Log lines as JSON: one line an event, control characters escaped."""

import json
import logging
import re
import traceback

OPENING = re.compile(r"(/(?:setup|invitations|accounts/confirm-email|accounts/password/reset/key)/)[^/\s?\"']+")
"""Addresses whose next part lets in whoever knows it."""


class JSONFormatter(logging.Formatter):
    """Time, level, logger and message; of an exception its class and place, never its text.

    Exception texts of clients can hold addresses and credentials. Django names the address of a page
    that it refused: of a link that opens something only its kind is said.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str | list[str]] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": OPENING.sub(r"\1***", record.getMessage()),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["where"] = self._where(record)
        return json.dumps(line)

    def _where(self, record: logging.LogRecord) -> list[str]:
        assert record.exc_info
        frames = traceback.extract_tb(record.exc_info[2])[-8:]
        return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
