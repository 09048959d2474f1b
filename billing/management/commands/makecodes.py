"""Makes redeem codes, each worth some credit, once."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing.payments import codes
from smartoken import commands

MAX_CODES = 100_000


class Command(commands.OneLineCommand):
    help = "Make redeem codes and print them, one a line: they can't be shown again."
    input_errors = (codes.CodeError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--usd", required=True, type=commands.usd_above_zero, metavar="N", help="worth of each")
        parser.add_argument("--count", required=True, type=commands.positive_integer, metavar="N", help="how many")
        parser.add_argument("--batch", required=True, type=commands.text(100), help="what they are for")
        parser.add_argument("--expires", type=commands.day, metavar="YYYY-MM-DD", help="their last day, in UTC")

    def handle(self, **options: Any) -> None:
        left, last_day = options["count"], options["expires"]
        if left > MAX_CODES:
            raise CommandError(f"--count: make at most {MAX_CODES} codes at once")
        while left:
            made = codes.make_codes(
                count=min(left, codes.MAX_AT_ONCE),
                nanos=options["usd"],
                batch=options["batch"],
                created_by="makecodes",
                expires_at=codes.end_of_day(last_day) if last_day else None,
            )
            self.stdout.write("\n".join(made))
            left -= len(made)
