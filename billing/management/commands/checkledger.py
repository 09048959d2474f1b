"""Checks the books: one line of JSON; exit code 1 on any difference."""

import json
import sys
from typing import Any

from billing.proof import check_books
from smartoken.commands import OneLineCommand


class Command(OneLineCommand):
    help = "Check limits, holds, entries and records against each other, on one snapshot."

    def handle(self, *args: Any, **options: Any) -> None:
        proof = check_books()
        result: dict[str, Any] = {
            "open_holds": proof.open_holds,
            "wallets": proof.wallets,
            "entries": proof.entries,
            "records": proof.records,
            "differences": proof.difference_count,
        }
        if proof.differences:
            result["rows"] = {
                rule: [{"id": str(row[0]), "found": row[1], "expected": row[2]} for row in found[:20]]
                for rule, found in proof.differences.items()
            }
        self.stdout.write(json.dumps(result, default=str))
        if proof.differences:
            sys.exit(1)
