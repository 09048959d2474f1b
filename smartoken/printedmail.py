"""Mails of a site that sends none: printed to be read, each link on one line to be copied."""

import sys
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.console import EmailBackend

RULE = "-" * 79


class PrintingBackend(EmailBackend):
    """Django's own prints mails as they travel, which cuts a link in two."""

    def __init__(self, **options: Any) -> None:
        # The worker's sys.stdout is a logger, which would print a mail as one escaped line.
        options.setdefault("stream", sys.__stdout__ or sys.stdout)
        super().__init__(**options)

    def write_message(self, message: EmailMessage) -> None:
        """Write whom it is for, what about, and its text; control characters are made visible."""
        text = f"To: {', '.join(message.recipients())}\nSubject: {message.subject}\n\n{str(message.body).strip()}"
        lines = ("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in text.splitlines())
        self.stream.write("\n".join([RULE, *lines, RULE, ""]))
