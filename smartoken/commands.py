"""What all operator's commands share: a wrong input ends in one line that says what is wrong."""

import os
import re
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import DatabaseError, InterfaceError, connection, connections

from accounts import people
from accounts.members import find_membership
from accounts.models import Organization
from billing import money

MAX_INTEGER = 2**31 - 1


class OneLineCommand(BaseCommand):
    """A command whose every failure is one line on stderr and an exit code above 0.

    ``handle`` raises CommandError, or one of ``input_errors``: the domain's own
    exceptions whose messages are for people.
    """

    requires_system_checks = []
    input_errors: tuple[type[Exception], ...] = ()

    def run_from_argv(self, argv: list[str]) -> None:
        # Django's own prints argparse's usage over many lines, and the exception's class before each message.
        try:
            options = vars(self.create_parser(argv[0], argv[1]).parse_args(argv[2:]))
            self.execute(*options.pop("args", ()), **options)
            sys.stdout.flush()  # here, where a pipe that broke is caught, not at the interpreter's end
        except BrokenPipeError:
            # Whoever reads has had enough, as `head` does. What Python would still write goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except CommandError as error:
            line = " ".join(str(error).split()).removeprefix("Error: ").removeprefix("argument ")
            sys.stderr.write(f"{os.path.basename(argv[0])} {argv[1]}: {line}\n")
            sys.exit(error.returncode)
        finally:
            connections.close_all()

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            _require_database()
            return super().execute(*args, **options)
        except self.input_errors as error:
            raise CommandError(str(error)) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(_explain(error)) from error


def _require_database() -> None:
    """Refuse before SQLite makes an empty file where somebody mistyped a folder."""
    path = connection.settings_dict["NAME"]
    if isinstance(path, Path) and not path.exists():
        raise CommandError(f"there is no database {path}: set SMARTOKEN_DATA to a folder in which SmarToken has run")


def _explain(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    if re.search(r"no such (table|column)|does not exist", text):
        where = settings.DATABASES["default"]["NAME"]
        return f"the database {where} is not set up for this version: run manage.py migrate ({text})"
    return f"the database can't be used: {text}"


def find_organization(address: str) -> Organization:
    """Return the organization of the user with this address; a CommandError when there is none."""
    user = people.find_user(email=address)
    membership = find_membership(user=user) if user else None
    if not membership:
        what = "has no open organization" if user else "is not known here"
        raise CommandError(f"{address} {what}; createkey --email makes user and organization")
    return membership.organization


# --- types for argparse ----------------------------------------------------


def email(text: str) -> str:
    """Return an e-mail address in lower case."""
    try:
        validate_email(text.strip())
    except ValidationError:
        raise ArgumentTypeError(f"{text[:60]!r} is not an e-mail address") from None
    return text.strip().lower()


def positive_integer(text: str) -> int:
    """Return a whole number from 1 on."""
    return _integer(text, 1)


def _integer(text: str, least: int) -> int:
    number = int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text) else least - 1
    if not least <= number <= MAX_INTEGER:
        raise ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {MAX_INTEGER}")
    return number


def natural_number(text: str) -> int:
    """Return a whole number from 0 on."""
    return _integer(text, 0)


def usd(text: str) -> int:
    """Return nano-dollars for an amount such as ``12.50``; 0 is one."""
    try:
        return money.parse_usd(text)
    except money.AmountError as error:
        raise ArgumentTypeError(str(error)) from None


def usd_above_zero(text: str) -> int:
    """Return nano-dollars for an amount above 0."""
    if nanos := usd(text):
        return nanos
    raise ArgumentTypeError("write an amount above 0, such as 12.50")


def price(text: str) -> int:
    """Return millionths of a unit per 1M tokens for a price such as ``0.50``; 0 is one."""
    try:
        return money.parse_price(text)
    except money.AmountError as error:
        raise ArgumentTypeError(str(error)) from None


def text(longest: int) -> Callable[[str], str]:
    """Return a type for a text of 1 to ``longest`` printable characters."""

    def parse(value: str) -> str:
        value = value.strip()
        if not value or len(value) > longest or not value.isprintable():
            raise ArgumentTypeError(f"write 1 to {longest} printable characters")
        return value

    return parse


def day(text: str) -> date:
    """Return a day such as ``2027-01-31``."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ArgumentTypeError(f"{text[:40]!r} is not a day; write one such as 2027-01-31") from None
