"""What a line of the log says, and what it must not."""

import logging

import pytest
from django.test import Client

from smartoken.logs import JSONFormatter

LINKS = [
    "/invitations/S3cret/",
    "/setup/S3cret/",
    "/accounts/confirm-email/S3cret/",
    "/accounts/password/reset/key/1-S3cret/",
]


def write(record: logging.LogRecord) -> str:
    return JSONFormatter().format(record)


@pytest.mark.parametrize("path", LINKS)
def test_a_refused_form_does_not_tell_the_link_that_it_came_from(db, caplog, path):
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    said = [write(record) for record in caplog.records]
    assert any("***" in line for line in said)
    assert "S3cret" not in "".join(said)


def test_an_error_is_told_by_its_class_and_its_place_alone():
    try:
        raise ValueError("S3cret")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    line = write(logging.LogRecord("x", logging.ERROR, __file__, 1, "broke\n%s", ("off",), info))
    assert "ValueError" in line and "test_logs.py" in line
    assert "S3cret" not in line and "\n" not in line


def test_no_line_is_made_of_each_request() -> None:
    """uvicorn makes one, whatever its level, where a handler above could get it."""
    assert not logging.getLogger("uvicorn.access").propagate
