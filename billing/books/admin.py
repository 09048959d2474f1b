"""What checks the books, to look at."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing.models import Proof
from smartoken.admin import ReadOnlyAdmin, link_to


def show_rows(found: list[dict[str, object]]) -> SafeString:
    """Return the rows of a difference as a table of id, found and expected."""
    table = [("row", "found", "expected"), *((row.get("id"), row.get("found"), row.get("expected")) for row in found)]
    lines = format_html_join("", '<tr><td class="pr-6">{}</td><td class="pr-6">{}</td><td>{}</td></tr>', table)
    return format_html('<table class="mb-4">{}</table>', lines)


@display(description="took")
def seconds(row: Any) -> str:
    return f"{(row.ended_at - row.started_at).total_seconds():.1f} s"


@display(description="began (UTC)", ordering="started_at")
def started_at(row: Any) -> str:
    return f"{row.started_at:%Y-%m-%d\u00a0%H:%M:%S}"


@display(description="differences", ordering="difference_count", label={"none": "success", "some": "danger"})
def difference_label(row: Any) -> tuple[str, str]:
    return ("some", f"{row.difference_count}") if row.difference_count else ("none", "none")


@admin.register(Proof)
class ProofAdmin(ReadOnlyAdmin):
    """Each check of the books; the command checkledger makes one too."""

    ordering = ("-pk",)
    sortable_by = ()
    list_display = (started_at, "kind", difference_label, "open_holds", "wallets", "entries", "records", seconds)
    list_filter = (("since", admin.EmptyFieldListFilter),)
    list_select_related = ("since",)
    fields = (
        "kind",
        "started_at",
        "ended_at",
        "open_holds",
        "wallets",
        "entries",
        "records",
        "difference_count",
        "rows",
    )

    @display(description="looked at")
    def kind(self, row: Proof) -> str:
        if row.since:
            return format_html("since {}", link_to(row.since, f"{row.since.started_at:%Y-%m-%d %H:%M}"))
        return "everything"

    @display(description="rows that differ")
    def rows(self, row: Proof) -> SafeString | str:
        tables = format_html_join(
            "", "<p>{}</p>{}", ((rule, show_rows(found)) for rule, found in row.differences.items())
        )
        return tables or "none"
