"""Puts the catalogue's families, and the routes of credentials in the environment, into the database."""

from typing import Any

from routing import checks
from routing.catalog.loader import load_catalog
from smartoken import commands


class Command(commands.OneLineCommand):
    help = "Load the catalogue; a line for each change, silent when there is none. Safe to run at every start."
    input_errors = (checks.PoolError,)

    def handle(self, **options: Any) -> None:
        for line in load_catalog():
            self.stdout.write(line)
