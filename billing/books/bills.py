"""A provider's own bill: its lines are stored, replaced when they come again, and removed where they are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone

from accounts import audit
from billing import money
from billing.books.billfiles import Line
from billing.books.chunks import write_in_chunks
from billing.models import BillLine


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to."""

    first: date
    last: date
    added: int
    replaced: int
    cost_nanos: int

    def __str__(self) -> str:
        days = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        return (
            f"{count_lines(self.added + self.replaced)} of {days}: {self.added} new, {self.replaced} replaced;"
            f" {money.format_usd(self.cost_nanos)} in all"
        )


def count_lines(number: int) -> str:
    """Return so many lines in words."""
    return f"{number} line{'s' if number != 1 else ''}"


def import_bill(*, provider: str, lines: Sequence[Line], actor: str) -> Imported:
    """Store the lines of a provider's bill, replacing those of the same day and model; ``provider`` is a slug.

    They go in by chunks; should it break off in between, the same bill again mends it.
    """
    replaced = 0

    def write(chunk: list[Line]) -> None:
        nonlocal replaced
        replaced += _write_chunk(provider, chunk, actor)

    write_in_chunks(lines, write)
    days = [line.day for line in lines]
    total = sum(line.cost_nanos for line in lines)
    imported = Imported(min(days), max(days), len(lines) - replaced, replaced, total)
    audit.record(actor=actor, action="bill.import", target=f"bill of {provider}", after={"lines": str(imported)})
    return imported


def remove_lines(*, provider: str, first: date, last: date, actor: str) -> int:
    """Remove the lines of these days, which were imported by mistake; return how many there were."""
    doomed = BillLine.objects.filter(provider=provider, day__range=(first, last)).values_list("pk", flat=True)
    removed = write_in_chunks(list(doomed), lambda chunk: BillLine.objects.filter(pk__in=chunk).delete())
    if removed:
        fate = {"lines": f"{count_lines(removed)} of {first} to {last}"}
        audit.record(actor=actor, action="bill.remove", target=f"bill of {provider}", before=fate)
    return removed


@transaction.atomic
def _write_chunk(provider: str, chunk: list[Line], actor: str) -> int:
    """Store these lines; return how many were there before."""
    days, models = {line.day for line in chunk}, {line.model for line in chunk}
    known = BillLine.objects.filter(provider=provider, day__in=days, model__in=models).values_list("day", "model")
    replaced = len(set(known) & {(line.day, line.model) for line in chunk})
    BillLine.objects.bulk_create(
        [_row(provider, line, actor) for line in chunk],
        update_conflicts=True,
        unique_fields=["provider", "day", "model"],
        update_fields=["tokens", "cost", "currency", "rate", "cost_nanos", "imported_at", "imported_by"],
    )
    return replaced


def _row(provider: str, line: Line, actor: str) -> BillLine:
    return BillLine(
        provider=provider,
        day=line.day,
        model=line.model,
        tokens=line.tokens,
        cost=line.cost,
        currency=line.currency,
        rate=line.rate,
        cost_nanos=line.cost_nanos,
        imported_at=timezone.now(),
        imported_by=actor[:100],
    )
