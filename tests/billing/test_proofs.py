"""Stored proofs, and checks of what came after one."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from billing import proof
from billing.books import proofs
from billing.books.proofs import LATEST, NoBaseError, check_and_store
from billing.holds import Admissions
from billing.models import Hold, LedgerEntry, Limit, Proof, ProofSum, UsageRecord
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle, wallet_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(transactional_db, make_key):
    return make_key()


@pytest.fixture
def spend(key, ask):
    """Run a request of this key from its hold to its end."""
    admissions = Admissions(uuid.uuid4())

    def run(**fields) -> uuid.UUID:
        [admission] = admissions.admit_batch([ask(key)])
        settle_batch([settle(admission, Tokens(input=100, output=10), **fields)])
        return admission.request.id

    return run


@pytest.fixture
def base(spend) -> Proof:
    """The stored proof of books with one request in them."""
    spend()
    _, stored = check_and_store()
    return stored


def since() -> proof.Findings:
    return check_and_store(since=LATEST, is_stored=False)[0]


def test_a_full_proof_stores_its_figures_and_a_sum_for_each_limit(base, key):
    base.refresh_from_db()
    assert (base.is_base, base.since, base.difference_count, base.records) == (True, None, 0, 1)
    assert base.sums.count() == Limit.objects.count() == 3
    wallet = base.sums.get(limit=wallet_of(key))
    assert (wallet.last_entry, wallet.limit_nanos, wallet.spent_nanos) == (
        LedgerEntry.objects.latest("pk").pk,
        10**9,
        120_000,
    )


def test_a_later_full_proof_replaces_the_sums(base):
    _, later = check_and_store()
    assert set(ProofSum.objects.values_list("proof", flat=True)) == {later.pk}
    assert list(Proof.objects.filter(is_base=True)) == [later]


def test_a_proof_with_differences_keeps_the_sums_before_it(base):
    Limit.objects.filter(kind="wallet").update(spent_nanos=7)
    findings, stored = check_and_store()
    assert stored.differences["wallet: spent is not the sum of its charges"][0]["found"] == 7
    assert (stored.is_base, ProofSum.objects.filter(proof=base).count()) == (False, 3)
    assert findings.difference_count == since().difference_count == 1


def test_only_what_came_later_is_looked_at(base, spend):
    spend()
    found = since()
    assert (found.differences, found.entries) == ({}, 1)


def test_a_key_and_an_organization_from_later_are_checked_whole(base, make_key, ask):
    other = make_key()
    admissions = Admissions(uuid.uuid4())
    [admission] = admissions.admit_batch([ask(other)])
    settle_batch([settle(admission, Tokens(input=100))])
    assert (since().differences, since().entries) == ({}, 2)
    Limit.objects.filter(organization=other.organization_id, kind="key_day").update(spent_nanos=1)
    assert list(since().differences) == ["day: spent is not the sum of its charges"]


@pytest.mark.parametrize("field", ["spent_nanos", "held_nanos"])
@pytest.mark.parametrize("kind", ["wallet", "key_day", "key_month"])
def test_a_limit_that_was_changed_later_is_found(base, kind, field):
    limit = Limit.objects.get(kind=kind)
    Limit.objects.filter(pk=limit.pk).update(**{field: 5})
    [[row]] = since().differences.values()
    assert (row.id, row.found, row.expected) == (str(limit.pk), 5, getattr(limit, field))


def test_an_entry_that_moved_nothing_is_found(base, key):
    wallet = wallet_of(key)
    write_grant(wallet)
    Limit.objects.filter(pk=wallet.pk).update(limit_nanos=10**9)
    [row] = since().differences["wallet limit is not the sum of its credits"]
    assert (row.found, row.expected) == (10**9, 10**9 + 7)


def test_a_later_record_that_says_something_else_is_found(base, spend):
    UsageRecord.objects.filter(pk=spend()).update(charge_nanos=1)
    assert {"record's charge is not the sum of its entries", "record's charge is not its hold's"} == set(
        since().differences
    )


def test_a_later_record_that_is_gone_is_found(base, spend):
    UsageRecord.objects.filter(pk=spend()).delete()
    assert {"charge without its record", "ended hold without its record"} == set(since().differences)


def test_an_old_record_that_was_adjusted_later_is_looked_at(key, ask):
    [admission] = Admissions(uuid.uuid4()).admit_batch([ask(key)])
    settle_batch([settle(admission, Tokens(input=50), is_sweep=True)])
    long_ago = timezone.now() - timedelta(days=2)
    UsageRecord.objects.update(created_at=long_ago)
    Hold.objects.update(ended_at=long_ago)
    check_and_store()
    settle_batch([settle(admission, Tokens(input=100))])
    assert (since().differences, since().records) == ({}, 1)
    UsageRecord.objects.update(charge_nanos=1)
    assert "record's charge is not the sum of its entries" in since().differences


def test_an_entry_that_took_its_number_early_and_came_late_counts_as_later(key, make_key):
    """PostgreSQL gives out numbers at the insert: another wallet's higher ones may be seen first."""
    other, number = wallet_of(make_key()), LedgerEntry.objects.latest("pk").pk
    write_grant(other, pk=number + 1000)
    check_and_store()
    wallet = wallet_of(key)
    write_grant(wallet, pk=number + 500)
    assert (since().differences, since().entries) == ({}, 1)
    Limit.objects.filter(pk=wallet.pk).update(limit_nanos=10**9)
    [row] = since().differences["wallet limit is not the sum of its credits"]
    assert (row.id, row.expected) == (str(wallet.pk), 10**9 + 7)


def write_grant(wallet: Limit, **fields) -> None:
    entry = {"kind": "grant", "amount_nanos": 7, "reference": uuid.uuid4().hex, "actor": "test"}
    LedgerEntry.objects.create(
        organization=wallet.organization, wallet=wallet, created_at=timezone.now(), **entry | fields
    )
    Limit.objects.filter(pk=wallet.pk).update(limit_nanos=wallet.limit_nanos + 7)


def test_without_a_stored_proof_it_says_so(key):
    with pytest.raises(NoBaseError, match="run checkledger without --since first"):
        since()


def test_sums_that_are_not_all_written_are_nothing_to_go_on_from(base, monkeypatch):
    monkeypatch.setattr(proofs, "write_in_chunks", lambda items, write: write(list(items)[:1]) and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        check_and_store()
    assert proofs.find_base(LATEST) == base
    assert since().differences == {}


def test_an_older_proof_can_not_be_gone_on_from(base):
    _, later = check_and_store()
    assert check_and_store(since=str(later.pk), is_stored=False)[0].differences == {}
    with pytest.raises(NoBaseError, match=f"can be gone on from: {later.pk}"):
        check_and_store(since=str(base.pk))


def test_a_check_reads_one_moment(base, key, ask, monkeypatch):
    """A request that ends in the middle of the check does not make the books differ."""
    [admission] = Admissions(uuid.uuid4()).admit_batch([ask(key)])
    count = proof._count

    def count_and_settle(what, scope):
        found = count(what, scope)
        if what == "later":
            in_another_connection(lambda: settle_batch([settle(admission, Tokens(input=100))]))
        return found

    monkeypatch.setattr(proof, "_count", count_and_settle)
    found = proof.check_books()
    assert (found.differences, found.open_holds, found.entries) == ({}, 1, 2)
    assert LedgerEntry.objects.count() == 3


def in_another_connection(run) -> None:
    import threading

    def work() -> None:
        try:
            run()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
