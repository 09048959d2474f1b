"""Makes an API key, with user and organization where they are missing."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from accounts import keys, people
from routing import checks
from smartoken import commands


class Command(commands.OneLineCommand):
    help = "Make an API key; the secret alone stands on the last line. The user and organization are made if missing."
    input_errors = (keys.KeyInputError, checks.PoolError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, type=commands.email, help="whose key it is")
        parser.add_argument("--name", type=commands.text(100), help="name of the key")
        parser.add_argument("--families", help="families it may use, with commas between; none: all")
        parser.add_argument("--daily", type=commands.usd, metavar="USD", help="daily budget in US dollars")
        parser.add_argument("--monthly", type=commands.usd, metavar="USD", help="monthly budget in US dollars")
        parser.add_argument("--rpm", type=commands.positive_integer, metavar="N", help="requests per minute")

    @transaction.atomic
    def handle(self, **options: Any) -> None:
        membership, is_new = people.ensure_member(email=options["email"], actor="createkey")
        if not membership.user.is_active:
            raise CommandError(f"{membership.user} is switched off; switch the user on in the admin first")
        key, secret = keys.create_key(
            organization=membership.organization,
            created_by=membership.user,
            name=options["name"] or "Command line",
            actor="createkey",
            families=_read_families(options["families"]),
            daily_budget_nanos=options["daily"],
            monthly_budget_nanos=options["monthly"],
            requests_per_minute=options["rpm"],
        )
        made = "made user, organization and key" if is_new else "made key"
        self.stdout.write(f"{membership.user} · {membership.organization}: {made} {key}")
        self.stdout.write(secret)


def _read_families(text: str | None) -> list[str]:
    if text is None:
        return []
    names = [name for name in text.split(",") if name.strip()]
    if not names:  # an unset variable of a script must not turn a restriction into none
        raise CommandError("--families: name at least one family, or leave it out for all")
    return list(dict.fromkeys(checks.find_family(name).slug for name in names))
