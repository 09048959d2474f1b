"""The ledger's statements on PostgreSQL: prepared once a connection, with plans that do when tables have grown."""

import re
import uuid
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import connection
from psycopg import errors

from billing import pipeline, proof, rows
from billing.batcher import Batcher
from billing.holds import Admissions
from billing.models import Hold, Limit
from billing.requests import Admission
from tests.billing.conftest import run, wallet_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="it is PostgreSQL's"),
]
PREPARED = "SELECT name, statement FROM pg_prepared_statements ORDER BY name"


@pytest.fixture
def ledger(monkeypatch) -> Any:
    monkeypatch.setattr("billing.batcher.RECONNECT_SECONDS", 0)
    monkeypatch.setattr(pipeline, "_is_mixed_up", False)
    batcher = Batcher("pipeline")
    batcher.start()
    yield batcher
    batcher.stop()


def ask_ledger(ledger: Batcher, sql: str) -> Any:
    """Run a statement on the ledger's own connection."""
    return run(ledger, lambda texts, **_: [rows.execute(text) for text in texts], [sql])[0]


def test_statements_are_prepared_once_a_connection(ledger, make_key, ask) -> None:
    admissions, key = Admissions(uuid.uuid4()), make_key()
    run(ledger, admissions.admit_batch, [ask(key)])
    prepared = ask_ledger(ledger, PREPARED)
    run(ledger, admissions.admit_batch, [ask(key), ask(key)])
    assert "COMMIT" in [text for _, text in prepared]
    assert ask_ledger(ledger, PREPARED) == prepared


def test_the_plan_that_is_kept_reads_through_the_index(ledger, make_key, ask) -> None:
    admissions, key = Admissions(uuid.uuid4()), make_key()
    run(ledger, admissions.admit_batch, [ask(key)])
    [limits] = [name for name, text in ask_ledger(ledger, PREPARED) if text.startswith("SELECT id, kind")]
    ask_ledger(ledger, "SET plan_cache_mode = 'force_generic_plan'")
    assert "billing_limit_pkey" in str(ask_ledger(ledger, f"EXPLAIN EXECUTE {limits}('{{1,2}}')"))


def test_a_migration_beside_the_ledger_makes_it_prepare_anew(ledger, make_key, ask) -> None:
    admissions, key = Admissions(uuid.uuid4()), make_key()
    change = "ALTER TABLE billing_limit ALTER COLUMN kind TYPE varchar(%d)"
    size = Limit._meta.get_field("kind").max_length
    run(ledger, admissions.admit_batch, [ask(key)])
    try:
        rows.execute(change % (size + 1))
        [admission] = run(ledger, admissions.admit_batch, [ask(key)])
    finally:
        rows.execute(change % size)
    assert isinstance(admission, Admission)
    assert Hold.objects.count() == 2


def test_what_follows_a_failure_is_left_out_and_may_be_run_later() -> None:
    connection.ensure_connection()
    failing, behind = ("SELECT 1 / length(%s)", ("",)), ("SELECT %s::int", ("7",))
    with pytest.raises(errors.DivisionByZero):
        pipeline.run(connection.connection, [("BEGIN", ()), failing, behind, ("COMMIT", ())])
    assert pipeline.run(connection.connection, [("ROLLBACK", ())]) == [[]]
    assert pipeline.run(connection.connection, [behind, (failing[0], ("a",))]) == [[(7,)], [(1,)]]


def test_an_interruption_leaves_nothing_behind_that_the_next_batch_could_meet(
    admissions, make_key, ask, monkeypatch
) -> None:
    key = make_key()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pipeline, "_receive", Mock(side_effect=KeyboardInterrupt))
        admissions.admit_batch([ask(key)])
    [admission] = admissions.admit_batch([ask(key)])
    assert isinstance(admission, Admission)
    assert Hold.objects.count() == 1


def test_a_text_that_cannot_be_sent_is_refused_before_anything_is_sent() -> None:
    connection.ensure_connection()
    with pytest.raises(UnicodeEncodeError):
        pipeline.run(connection.connection, [("SELECT 1", ()), ("SELECT %s::text", ("a lone \ud800",))])
    assert pipeline.run(connection.connection, [("SELECT %s::text LIKE 'a%%'", ("ab",))]) == [[(True,)]]


def test_statements_and_results_larger_than_any_buffer_do_not_wait_for_each_other() -> None:
    connection.ensure_connection()
    texts = [letter * 10_000_000 for letter in "abc"]
    found = pipeline.run(connection.connection, [("SELECT %s::text", (text,)) for text in texts])
    assert [rows == [(text,)] for rows, text in zip(found, texts, strict=True)] == [True] * 3


def test_what_the_server_has_never_done_is_no_outdated_plan() -> None:
    connection.ensure_connection()
    with pytest.raises(errors.FeatureNotSupported):
        pipeline.run(connection.connection, [("SELECT count(*) FROM billing_limit FOR UPDATE", ())])


def test_a_pooler_that_mixes_servers_up_is_noticed_and_nothing_is_held_twice(ledger, make_key, ask, caplog) -> None:
    admissions, key = Admissions(uuid.uuid4()), make_key()
    run(ledger, admissions.admit_batch, [ask(key)])
    ask_ledger(ledger, "DEALLOCATE ALL")
    for count in (2, 3):
        [admission] = run(ledger, admissions.admit_batch, [ask(key)])
        assert isinstance(admission, Admission)
        assert Hold.objects.count() == count
    assert len(re.findall("forgets prepared statements", caplog.text)) == 1
    assert wallet_of(key).held_nanos == 3 * admission.amount
    assert proof.check_books().differences == {}
