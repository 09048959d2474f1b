"""Gives credit to an organization."""

from typing import Any

from django.core.management.base import CommandParser

from billing import ledger, money
from smartoken import commands


class Command(commands.OneLineCommand):
    help = "Give credit to the organization of a user; every call gives anew."
    input_errors = (ledger.LedgerError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, type=commands.email, help="a member of the organization")
        parser.add_argument("--usd", required=True, type=commands.usd_above_zero, metavar="N", help="US dollars")
        parser.add_argument("--reason", type=commands.text(200), help="shown in the ledger")

    def handle(self, **options: Any) -> None:
        organization = commands.find_organization(options["email"])
        ledger.grant(
            organization=organization, nanos=options["usd"], actor="grantcredit", reason=options["reason"] or ""
        )
        wallet = ledger.get_wallet(organization=organization)
        balance = (wallet.limit_nanos or 0) - wallet.spent_nanos
        self.stdout.write(
            f"granted {money.format_exact(options['usd'])} to {organization}: balance {money.format_exact(balance)}"
        )
