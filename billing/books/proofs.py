"""Stored proofs: each run of the check with its figures, and what a later run goes on from.

1. A full run reads, in its snapshot, what each limit says and the last entry of its wallet.
2. Where nothing differs, these sums are written behind the snapshot, in chunks, and then
   the proof becomes a base; the sums of older ones are deleted.
3. A run since a base compares each limit with its sum and what came later. Entries of a
   wallet are written under its lock, so that ids above the last one are exactly those;
   a wallet or window without a sum is younger than the base, and all of its entries are later.
"""

import struct
import tempfile
from collections.abc import Iterator
from typing import IO

from billing import proof, rows
from billing.books.chunks import CHUNK, write_in_chunks
from billing.books.rules import Scope
from billing.models import Proof, ProofSum
from billing.proof import Findings

LATEST = "latest"
SUM = struct.Struct("<qqq?q")
"""limit, its wallet's last entry, spent, whether it has a limit, and which."""


class NoBaseError(ValueError):
    """There is no stored proof to go on from; the message is for people."""


def check_and_store(*, since: str = "", is_stored: bool = True) -> tuple[Findings, Proof | None]:
    """Check all books, or with ``since`` ("latest" or a proof's id) what came after that proof.

    Returns the findings and the stored row. Raises NoBaseError. Not inside a transaction.
    """
    with tempfile.TemporaryFile() as sums:
        with proof.snapshot():
            base = find_base(since) if since else None
            scope = Scope(base.pk, base.started_at) if base else Scope()
            findings = proof.check_books_inside(scope)
            becomes_base = is_stored and not base and not findings.differences
            if becomes_base:
                _read_sums(sums)
        stored = _store(findings, base) if is_stored else None
        if stored and becomes_base:
            _write_sums(stored, sums)
    return findings, stored


def find_base(since: str) -> Proof:
    """Return the proof of this id, or the latest one, if its sums are there. Raises NoBaseError."""
    latest = Proof.objects.filter(is_base=True).order_by("-pk").first()
    if latest is None:
        raise NoBaseError("There is no full proof without differences yet; run checkledger without --since first.")
    if since not in (LATEST, str(latest.pk)):
        raise NoBaseError(f"Only the latest full proof without differences can be gone on from: {latest.pk}.")
    return latest


def _read_sums(into: IO[bytes]) -> None:
    """Put what the limits say into a file: there may be more of them than memory should hold."""
    last_id = 0
    while limits := rows.execute(
        "SELECT l.id, COALESCE((SELECT MAX(e.id) FROM billing_ledgerentry e "
        "WHERE e.organization_id = l.organization_id), 0), l.spent_nanos, l.limit_nanos IS NOT NULL, "
        f"COALESCE(l.limit_nanos, 0) FROM billing_limit l WHERE l.id > %s ORDER BY l.id LIMIT {CHUNK}",
        [last_id],
    ):
        into.write(b"".join(SUM.pack(*limit) for limit in limits))
        last_id = limits[-1][0]


def _write_sums(stored: Proof, sums: IO[bytes]) -> None:
    sums.seek(0)
    write_in_chunks(_load_sums(stored, sums), ProofSum.objects.bulk_create)
    # Whoever is a base has all its sums: those of older ones go only now.
    Proof.objects.filter(pk=stored.pk).update(is_base=True)
    Proof.objects.filter(is_base=True, pk__lt=stored.pk).update(is_base=False)
    old = ProofSum.objects.filter(proof__lt=stored.pk).order_by("pk").values_list("pk", flat=True)
    while ids := list(old[:CHUNK]):
        write_in_chunks(ids, lambda chunk: ProofSum.objects.filter(pk__in=chunk).delete())


def _load_sums(stored: Proof, sums: IO[bytes]) -> Iterator[ProofSum]:
    while packed := sums.read(SUM.size):
        limit_id, last_entry, spent, has_limit, limit = SUM.unpack(packed)
        yield ProofSum(
            proof=stored,
            limit_id=limit_id,
            last_entry=last_entry,
            limit_nanos=limit if has_limit else None,
            spent_nanos=spent,
        )


def _store(findings: Findings, base: Proof | None) -> Proof:
    return Proof.objects.create(
        started_at=findings.started_at,
        ended_at=rows.read_clock(),
        since=base,
        open_holds=findings.open_holds,
        wallets=findings.wallets,
        entries=findings.entries,
        records=findings.records,
        difference_count=findings.difference_count,
        differences={rule: [row._asdict() for row in found] for rule, found in findings.differences.items()},
    )
