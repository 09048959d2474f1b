"""Idempotency-Keys in the ledger: a row that lives with its hold, then keeps the answer."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import idempotency, proof, sweep
from billing.holds import Admissions
from billing.idempotency import Claim, Conflict, Recorded
from billing.models import Hold, IdempotentAnswer, LedgerEntry, UsageRecord
from billing.requests import Admission, Refusal
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle, wallet_of

CLAIM, OTHER_BODY = Claim("order-1", b"1" * 32), Claim("order-1", b"2" * 32)
USED = Tokens(input=100, output=10)


@pytest.fixture(autouse=True)
def books_balance(db: None):
    """After every test here the books must agree with themselves."""
    yield
    assert proof.check_books_inside().differences == {}


@pytest.fixture
def admit(admissions, ask):
    """Ask with a claim, in one batch; return the decisions, or the only one."""

    def decide(key, *claims: Claim | None, **fields):
        decisions = admissions.admit_batch([ask(key, claim=claim, **fields) for claim in claims])
        return decisions[0] if len(decisions) == 1 else decisions

    return decide


def record(admission, answer: bytes | None = b"sealed", **fields) -> None:
    settle_batch([settle(admission, USED, answer=answer, **fields)])


def test_a_new_claim_is_admitted_and_runs(make_key, admit) -> None:
    admission = admit(make_key(), CLAIM, stream=True)
    row = IdempotentAnswer.objects.get()
    assert (row.request, row.state, row.stream) == (admission.request.id, "running", True)
    assert (row.idempotency_key, bytes(row.body_digest), row.answer) == ("order-1", CLAIM.digest, None)


def test_a_request_without_a_claim_costs_no_statement(make_key, admit) -> None:
    with CaptureQueriesContext(connection) as captured:
        record(admit(make_key(), None))
    statements = [query["sql"] for query in captured.captured_queries]
    assert any("billing_hold" in statement for statement in statements)
    assert not any("idempotent" in statement for statement in statements)


def test_while_it_runs_another_waits(make_key, admit) -> None:
    key = make_key()
    admit(key, CLAIM)
    assert admit(key, CLAIM) == Conflict.RUNNING
    assert Hold.objects.count() == 1


def test_equal_claims_of_one_batch_admit_the_first(make_key, admit) -> None:
    first, second, other = admit(make_key(), CLAIM, CLAIM, OTHER_BODY)
    assert isinstance(first, Admission)
    assert (second, other) == (Conflict.RUNNING, Conflict.MISMATCH)


def test_the_claim_of_a_refused_request_is_free(make_key, admit) -> None:
    dear, cheap = make_key(credit=0), make_key()
    assert isinstance(admit(dear, CLAIM), Refusal)
    assert not IdempotentAnswer.objects.exists()
    assert isinstance(admit(cheap, CLAIM), Admission)


def test_a_claim_belongs_to_its_key(make_key, admit) -> None:
    assert isinstance(admit(make_key(), CLAIM), Admission)
    assert isinstance(admit(make_key(), CLAIM), Admission)


def test_a_good_answer_is_recorded_and_given_again(make_key, admit) -> None:
    key = make_key()
    admission = admit(key, CLAIM)
    record(admission)
    again = admit(key, CLAIM)
    assert isinstance(again, Recorded)
    assert again.request == admission.request.id
    kept = idempotency.read_answer(again.request)
    assert (kept.answer, kept.charge) == (b"sealed", 120_000)
    assert (Hold.objects.count(), UsageRecord.objects.count(), wallet_of(key).held_nanos) == (1, 1, 0)


def test_another_body_is_a_mismatch_before_and_after(make_key, admit) -> None:
    key = make_key()
    admission = admit(key, CLAIM)
    assert admit(key, OTHER_BODY) == Conflict.MISMATCH
    record(admission)
    assert admit(key, OTHER_BODY) == Conflict.MISMATCH


def test_an_answer_that_is_too_long_is_not_run_again(make_key, admit) -> None:
    key = make_key()
    record(admit(key, CLAIM), answer=None)
    assert admit(key, CLAIM) == Conflict.UNKEPT


def test_a_recorded_answer_needs_no_money(make_key, admit) -> None:
    key = make_key(credit=0.004)
    settle_batch([settle(admit(key, CLAIM), Tokens(input=10**6), answer=b"sealed")])
    assert wallet_of(key).free_nanos == 0
    assert isinstance(admit(key, CLAIM), Recorded)


def test_a_free_answer_is_recorded_too(make_key, admit) -> None:
    key = make_key()
    settle_batch([settle(admit(key, CLAIM), Tokens(), answer=b"sealed")])
    assert Hold.objects.get().state == Hold.State.RELEASED
    assert isinstance(admit(key, CLAIM), Recorded)


@pytest.mark.parametrize(("status", "http_status"), [("failed", 502), ("aborted", 499), ("aborted", 200)])
def test_anything_else_frees_the_claim(make_key, admit, status, http_status) -> None:
    key = make_key()
    record(admit(key, CLAIM), status=status, http_status=http_status)
    assert not IdempotentAnswer.objects.exists()
    assert isinstance(admit(key, CLAIM), Admission)


def test_after_a_crash_the_sweeper_frees_the_claim(make_key, admit) -> None:
    key = make_key()
    lost = admit(key, CLAIM)
    Hold.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    assert sweep.sweep() == 1
    again = admit(key, CLAIM)
    record(lost)  # the first process was only slow
    assert IdempotentAnswer.objects.get().request == again.request.id
    assert admit(key, CLAIM) == Conflict.RUNNING
    record(again)


def test_an_expired_answer_is_as_none(make_key, admit) -> None:
    key = make_key()
    record(admit(key, CLAIM))
    IdempotentAnswer.objects.update(expires_at=timezone.now())
    admission = admit(key, OTHER_BODY)
    row = IdempotentAnswer.objects.get()
    assert (row.request, row.state, row.answer) == (admission.request.id, "running", None)
    assert row.expires_at > timezone.now() + timedelta(hours=23)


def test_an_answer_is_kept_for_a_day_from_its_end(make_key, admit) -> None:
    admission = admit(make_key(), CLAIM)
    IdempotentAnswer.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    record(admission)
    assert IdempotentAnswer.objects.get().expires_at > timezone.now() + timedelta(hours=23)


def test_a_replayed_admission_finds_its_own_row(make_key, admissions, ask) -> None:
    key = make_key()
    requests = [ask(key, claim=CLAIM), ask(key, claim=CLAIM)]
    first = admissions.admit_batch(requests)
    again = admissions.admit_batch(requests, is_replay=True)
    assert isinstance(again[0], Admission)
    assert again[1] == first[1] == Conflict.RUNNING
    assert wallet_of(key).held_nanos == first[0].amount


def test_a_replayed_settle_records_once(make_key, admit) -> None:
    key = make_key()
    settlement = settle(admit(key, CLAIM), USED, answer=b"sealed")
    settle_batch([settlement])
    before = IdempotentAnswer.objects.get().expires_at
    settle_batch([settlement], is_replay=True)
    assert IdempotentAnswer.objects.get().expires_at == before
    assert LedgerEntry.objects.filter(kind="charge").count() == 1


def test_what_fails_alone_still_ends_its_row(make_key, admit) -> None:
    key = make_key()
    settle_batch([settle(admit(key, CLAIM), USED, answer=b"sealed").money_only()])
    assert admit(key, CLAIM) == Conflict.UNKEPT


def test_another_process_sees_the_claim(make_key, admit, ask) -> None:
    key = make_key()
    admit(key, CLAIM)
    elsewhere = Admissions(uuid.uuid4())
    assert elsewhere.admit_batch([ask(key, claim=CLAIM)]) == [Conflict.RUNNING]


def test_a_claim_is_known_while_it_is_in_force(make_key, admit) -> None:
    key = make_key()
    assert not idempotency.is_claimed(key.id, CLAIM)
    record(admit(key, CLAIM))
    assert idempotency.is_claimed(key.id, CLAIM)
    IdempotentAnswer.objects.update(expires_at=timezone.now())
    assert not idempotency.is_claimed(key.id, CLAIM)


def test_expired_answers_are_forgotten_in_chunks(make_key, admit, monkeypatch) -> None:
    monkeypatch.setattr(idempotency, "FORGET_BATCH", 2)
    key = make_key()
    for number in range(6):
        record(admit(key, Claim(f"order-{number}", CLAIM.digest)))
    expired = IdempotentAnswer.objects.order_by("pk").values_list("pk", flat=True)[:5]
    IdempotentAnswer.objects.filter(pk__in=list(expired)).update(expires_at=timezone.now())
    assert idempotency.forget_answers() == 5
    assert IdempotentAnswer.objects.get().idempotency_key == "order-5"


@pytest.mark.parametrize(
    ("ends_hold", "state", "rule"),
    [
        (True, "running", "Idempotency-Key runs without an open hold"),
        (False, "recorded", "Idempotency-Key has an answer of an open hold"),
    ],
)
def test_a_row_that_does_not_live_with_its_hold_is_found(make_key, admit, ends_hold, state, rule) -> None:
    admission = admit(make_key(), CLAIM)
    if ends_hold:
        record(admission)
    changed = IdempotentAnswer.objects.all()
    before = changed.get().state
    changed.update(state=state)
    assert proof.check_books_inside().differences.keys() == {rule}
    changed.update(state=before)
