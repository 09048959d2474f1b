"""Puts an upstream into a family's pool."""

import os
from typing import Any

from django.core.management.base import CommandParser

from routing import pools
from smartoken import commands


class Command(commands.OneLineCommand):
    help = "Put an upstream into a family's pool; the same one again gets the new priority and weight."
    input_errors = (pools.PoolError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--family", required=True, help="slug or model id, such as deepseek")
        parser.add_argument("--base-url", required=True, metavar="U", help="address before /chat/completions")
        parser.add_argument("--model", required=True, metavar="ID", help="the model's id at the upstream")
        parser.add_argument("--dialect", default="openai", metavar="D", help="how it departs from OpenAI's API")
        parser.add_argument("--credential-env", default="", metavar="NAME", help="variable that holds the credential")
        parser.add_argument("--provider", default="", help="company behind it; else found by the host")
        parser.add_argument("--priority", default=1, type=commands.positive_integer, metavar="N", help="1 comes first")
        parser.add_argument(
            "--weight", default=100, type=commands.natural_number, metavar="N", help="share in its level"
        )

    def handle(self, **options: Any) -> None:
        name = options["credential_env"]
        route, is_new = pools.put_upstream(
            family=options["family"],
            base_url=options["base_url"],
            upstream_model=options["model"],
            dialect=options["dialect"],
            credential_env=name,
            provider=options["provider"],
            priority=options["priority"],
            weight=options["weight"],
        )
        what = "added to" if is_new else "was already in"
        self.stdout.write(f"{route} {what} pool {route.pool}: priority {route.priority}, weight {route.weight}")
        if name and not os.environ.get(name):
            self.stdout.write(f"note: {name} is not set here; the server must have it in its own environment")
