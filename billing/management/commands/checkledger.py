"""Checks the books: one line of JSON; exit code 1 on any difference."""

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing.books import proofs
from smartoken.commands import OneLineCommand

SHOWN_ROWS = 20
CANNOT = 2


class Command(OneLineCommand):
    help = (
        "Check limits, holds, entries and records against each other, on one snapshot, and store the figures. "
        "Exit code 1: something differs; 2: there is no proof to go on from."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            default="",
            metavar="latest|ID",
            help="only what came after this stored full proof; what changed before it, the next full run finds",
        )
        parser.add_argument("--no-store", action="store_true", help="write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            findings, stored = proofs.check_and_store(since=options["since"], is_stored=not options["no_store"])
        except proofs.NoBaseError as error:
            raise CommandError(str(error), returncode=CANNOT) from error
        result: dict[str, Any] = {
            "open_holds": findings.open_holds,
            "wallets": findings.wallets,
            "entries": findings.entries,
            "records": findings.records,
            "differences": findings.difference_count,
        }
        if stored:
            result |= {"proof": stored.pk} | ({"since": stored.since_id} if stored.since_id else {})
        if findings.differences:
            result["rows"] = {
                rule: [row._asdict() for row in found[:SHOWN_ROWS]] for rule, found in findings.differences.items()
            }
        self.stdout.write(json.dumps(result))
        if findings.differences:
            sys.exit(1)
