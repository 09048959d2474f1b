"""Asks an upstream which models it serves."""

import difflib
import shlex
from typing import Any

from django.core.management.base import CommandError, CommandParser

from routing import checks, dialects, inspection
from routing.inspection import Findings, ListedModel
from routing.models import Upstream
from smartoken import commands


class Command(commands.OneLineCommand):
    help = "Ask an upstream which models it serves, and say how to put one into a pool. Nothing is changed."
    input_errors = (checks.PoolError, inspection.InspectionError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", metavar="U", help="address before /chat/completions; else the dialect's own")
        parser.add_argument("--dialect", default="", metavar="D", help=f"one of {', '.join(dialects.DIALECTS)}")
        parser.add_argument("--credential-env", default="", metavar="NAME", help="variable that holds the credential")
        parser.add_argument("--upstream", metavar="SLUG", help="one that is there already, instead of an address")

    def handle(self, **options: Any) -> None:
        findings = _inspect(options)
        count = len(findings.models)
        what = f"{count} models" if count > 1 else "1 model"
        self.stdout.write(f"{findings.base_url} lists {what}, dialect {findings.dialect}:")
        width = max(len(model.id) for model in findings.models)
        for model in findings.models:
            self.stdout.write(f"  {model.id.ljust(width)}  {_describe(model)}")
        families = {model.id: inspection.guess_family(model.id) for model in findings.models}
        chosen = next((model for model in findings.models if families[model.id]), findings.models[0])
        if findings.has_stored_credential:
            self.stdout.write("Put one into a pool on the pool's page in the admin: the credential is stored there.")
            return
        self.stdout.write("Put one into a pool:")
        self.stdout.write("  " + _write_line(findings, chosen, families[chosen.id]))


def _inspect(options: dict[str, Any]) -> Findings:
    slug = options["upstream"]
    if slug is None:
        if options["base_url"] is None and not options["dialect"]:
            raise CommandError("give --base-url or --upstream, or a --dialect that has an address of its own")
        names = ("base_url", "dialect", "credential_env")
        return inspection.inspect_address(**{name: options[name] for name in names})
    if options["base_url"] is not None or options["dialect"] or options["credential_env"]:
        raise CommandError("--upstream stands alone: address, dialect and credential are those of its row")
    return inspection.inspect_upstream(_find_upstream(slug))


def _find_upstream(slug: str) -> Upstream:
    if found := Upstream.objects.select_related("provider").filter(slug=slug.strip().lower()).first():
        return found
    known = sorted(Upstream.objects.values_list("slug", flat=True))
    nearest = difflib.get_close_matches(slug.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known) or 'none yet'}"
    raise CommandError(f"there is no upstream {slug[:64]!r}; {hint}")


def _describe(model: ListedModel) -> str:
    context = f"context {model.context_length}" if model.context_length else "context not told"
    return f"{context}, longest answer {model.max_output_tokens}" if model.max_output_tokens else context


def _write_line(findings: Findings, model: ListedModel, family: str) -> str:
    # What a stranger's server says goes into a line that people paste: quoted.
    words = ["--family", family or "FAMILY", "--base-url", findings.base_url]
    words += ["--dialect", findings.dialect, "--model", model.id]
    words += ["--credential-env", findings.credential_env] if findings.credential_env else []
    words += ["--context", str(model.context_length)] if model.context_length else []
    words += ["--longest-answer", str(model.max_output_tokens)] if model.max_output_tokens else []
    return ".venv/bin/python manage.py addupstream " + shlex.join(words)
