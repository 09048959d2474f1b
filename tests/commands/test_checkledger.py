"""One line of JSON, and an exit code that a shell can act on."""

import json

import pytest
from django.core.management import CommandError, call_command

from accounts import people
from billing import ledger
from billing.models import Limit, Proof

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def wallet(transactional_db):
    membership = people.ensure_member(email="dev@example.com")[0]
    ledger.grant(organization=membership.organization, nanos=10**9, actor="test")


@pytest.fixture
def check(capsys):
    def run(*arguments) -> dict:
        call_command("checkledger", *arguments)
        return json.loads(capsys.readouterr().out)

    return run


def test_good_books(check):
    found = check()
    assert {name: found[name] for name in ("open_holds", "wallets", "entries", "differences")} == {
        "open_holds": 0,
        "wallets": 1,
        "entries": 1,
        "differences": 0,
    }
    assert Proof.objects.get().pk == found["proof"]


def test_since_a_stored_proof_only_the_rest_is_read(check):
    first = check()["proof"]
    for since in ("latest", str(first)):
        found = check("--since", since)
        assert (found["since"], found["entries"], found["differences"]) == (first, 0, 0)


def test_nothing_is_stored_where_that_is_asked(check):
    assert "proof" not in check("--no-store")
    assert not Proof.objects.exists()


@pytest.mark.parametrize("options", [[], ["--since=latest"]])
def test_a_difference_is_named_and_is_exit_code_1(check, capsys, options):
    check()
    Limit.objects.update(spent_nanos=5)
    with pytest.raises(SystemExit) as ended:
        call_command("checkledger", *options)
    found = json.loads(capsys.readouterr().out)
    assert (ended.value.code, found["differences"]) == (1, 1)
    [row] = found["rows"]["wallet: spent is not the sum of its charges"]
    assert row == {"id": str(Limit.objects.get().pk), "found": 5, "expected": 0}


@pytest.mark.parametrize("since", ["latest", "1", "yesterday"])
def test_without_a_stored_proof_it_says_what_to_do(since):
    with pytest.raises(CommandError, match="run checkledger without --since first") as refused:
        call_command("checkledger", "--since", since)
    assert refused.value.returncode == 2
