"""Puts an upstream into a family's pool."""

import argparse
import os
from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing import costs
from routing import checks, dialects, pools
from smartoken import commands

FEATURES = {"tools": "tools", "images": "images", "json_mode": "JSON mode", "json_schema": "JSON schemas"}


class Command(commands.OneLineCommand):
    help = "Put an upstream into a family's pool; the same one again gets what is named, and keeps the rest."
    input_errors = (checks.PoolError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--family", required=True, help="slug or model id, such as deepseek")
        parser.add_argument("--base-url", metavar="U", help="address before /chat/completions; else the dialect's own")
        parser.add_argument("--model", required=True, metavar="ID", help="the model's id at the upstream")
        parser.add_argument(
            "--dialect",
            default="",
            metavar="D",
            help=f"how it departs from OpenAI's API: one of {', '.join(dialects.DIALECTS)}; else its address's own",
        )
        parser.add_argument("--credential-env", default="", metavar="NAME", help="variable that holds the credential")
        parser.add_argument("--provider", default="", help="company behind it; else found by the host")
        parser.add_argument(
            "--priority", type=commands.positive_integer, metavar="N", help="1 comes first; else as it was, or 1"
        )
        parser.add_argument(
            "--weight", type=commands.natural_number, metavar="N", help="share in its level; else as it was, or 100"
        )
        parser.add_argument("--context", type=commands.positive_integer, metavar="N", help="its context, in tokens")
        parser.add_argument("--longest-answer", type=commands.positive_integer, metavar="N", help="in tokens")
        for name, what in FEATURES.items():
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                action=argparse.BooleanOptionalAction,
                help=f"whether it takes {what}; else as it was, or yes",
            )
        for name, note in (("input", ""), ("cached", "; else as input"), ("output", "")):
            parser.add_argument(
                f"--cost-{name}", type=commands.price, metavar="X", help=f"what 1M {name} tokens cost there{note}"
            )
        parser.add_argument(
            "--cost-currency", default="", metavar="CUR", help="what it bills in, such as CNY; else USD"
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
            actor="addupstream",
            priority=options["priority"],
            weight=options["weight"],
            cost=_read_cost(options),
            carries=pools.Carries(
                options["context"], options["longest_answer"], **{name: options[name] for name in FEATURES}
            ),
        )
        what = "added to" if is_new else "was already in"
        self.stdout.write(f"{route} {what} pool {route.pool}: priority {route.priority}, weight {route.weight}")
        dialect = route.upstream.dialect
        if not options["dialect"] and dialect != "openai":
            self.stdout.write(f"note: in the dialect {dialect}, by its address; --dialect says another")
        if options["base_url"] is None:
            self.stdout.write(_name_addresses(dialect))
        if name and not os.environ.get(name):
            self.stdout.write(f"note: {name} is not set here; the server must have it in its own environment")
        if route.cost_input_micros is not None and route.cost_currency not in costs.current_rates():
            self.stdout.write(f"note: add an exchange rate of {route.cost_currency} in the admin to see margins")


def _name_addresses(dialect: str) -> str:
    """Return a line that says which of the dialect's addresses was taken, and which others there are."""
    first, *others = [f"{one.url} ({one.region})" for one in dialects.get(dialect).addresses]
    return f"note: at {first}" + (f"; --base-url takes others: {', '.join(others)}" if others else "")


def _read_cost(options: dict[str, Any]) -> pools.RouteCost | None:
    given = {name: options[f"cost_{name}"] for name in ("input", "cached", "output")}
    if all(micros is None for micros in given.values()):
        if options["cost_currency"]:
            raise CommandError("--cost-currency needs --cost-input and --cost-output")
        return None
    return pools.RouteCost(**given, currency=options["cost_currency"])
