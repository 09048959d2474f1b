"""Imports a provider's bill from a CSV file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing.books import billfiles, bills
from routing.models import Provider
from smartoken.commands import OneLineCommand


class Command(OneLineCommand):
    help = (
        "Import a provider's bill: CSV in UTF-8 with the header day, model, tokens, cost, currency and, if you like, "
        "rate. Nothing is imported unless every line is good; the same day and model again is replaced."
    )
    input_errors = (billfiles.BillError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--provider", required=True, metavar="SLUG", help="whose bill it is, such as deepseek")
        parser.add_argument("--currency", default="", metavar="CUR", help="of lines that name none, such as CNY")
        parser.add_argument("--rate", default="", metavar="USD", help="what a unit of that currency is worth in USD")

    def handle(self, **options: Any) -> None:
        provider = options["provider"].strip().lower()
        known = sorted(Provider.objects.values_list("slug", flat=True))
        if provider not in known:
            raise CommandError(f"there is no provider {provider[:40]!r}; known: {', '.join(known) or 'none yet'}")
        terms = billfiles.check_terms(currency=options["currency"], rate=options["rate"])
        lines = billfiles.read_bill(_read_file(options["file"]), terms)
        imported = bills.import_bill(provider=provider, lines=lines, actor="importbill")
        self.stdout.write(f"{provider}: {imported}")


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(billfiles.MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
