"""Every change by a command, or at the start of the site, is one entry of the audit log."""

import pytest
from django.core.management import call_command

from accounts import people
from accounts.adminlink import create_administrator, make_token
from accounts.models import AuditEntry

CANARY = "sk-canary-7f3a"
pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return people.ensure_member(email="a@b.co")[0]


def told(actor):
    """Return the actions of this actor, in their order."""
    return list(AuditEntry.objects.filter(actor=actor).order_by("pk").values_list("action", flat=True))


def test_a_key_for_somebody_who_is_there(member, capsys):
    call_command("createkey", "--email=a@b.co", "--daily=2")
    entry = AuditEntry.objects.get(actor="createkey")
    assert (entry.action, entry.organization) == ("key.create", member.organization)
    assert entry.after["daily_budget_nanos"] == 2 * 10**9
    assert capsys.readouterr().out.split()[-1] not in str(vars(entry))


def test_a_key_for_somebody_new():
    call_command("createkey", "--email=a@b.co")
    assert told("createkey") == ["user.create", "organization.create", "member.create", "key.create"]


def test_credit(member):
    call_command("grantcredit", "--email=a@b.co", "--usd=5", "--reason=pilot")
    entry = AuditEntry.objects.get(actor="grantcredit")
    assert (entry.action, entry.before, entry.organization) == (
        "ledger.grant",
        {"balance_nanos": 0},
        member.organization,
    )
    assert (entry.after["amount_nanos"], entry.after["reason"]) == (5 * 10**9, "pilot")


def test_codes(capsys):
    call_command("makecodes", "--usd=5", "--count=2", "--batch=fair")
    entry = AuditEntry.objects.get(actor="makecodes")
    assert (entry.action, entry.after["count"]) == ("code.create", 2)
    assert not any(code in str(vars(entry)) for code in capsys.readouterr().out.split() if code.count("-") == 5)


def test_an_upstream_and_its_new_priority(monkeypatch):
    call_command("loadcatalog")
    monkeypatch.setenv("MY_KEY", CANARY)
    given = ["addupstream", "--family=kimi", "--base-url=https://a.com", "--model=m", "--credential-env=MY_KEY"]
    call_command(*given)
    assert told("addupstream") == ["provider.create", "upstream.create", "route.create"]
    call_command(*given, "--priority=2")
    call_command(*given, "--priority=2")
    entry = AuditEntry.objects.get(action="route.update")
    assert (entry.before, entry.after) == ({"priority": 1}, {"priority": 2})
    assert CANARY not in str(list(AuditEntry.objects.values()))


def test_the_catalogue_is_told_once():
    call_command("loadcatalog")
    actions = told("catalogue")
    assert {actions.count(f"{name}.create") for name in ("family", "model", "pool", "price")} == {17}
    call_command("loadcatalog")
    assert told("catalogue") == actions


def test_a_credential_in_the_environment_comes_moves_and_goes(monkeypatch):
    call_command("loadcatalog")
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    call_command("loadcatalog")
    monkeypatch.setenv("MOONSHOT_BASE_URL", "https://moon.example/v1")
    call_command("loadcatalog")
    monkeypatch.delenv("MOONSHOT_API_KEY")
    call_command("loadcatalog")
    created, changed, deleted = (["upstream.create", "route.create"], ["upstream.update"], ["route.delete"])
    assert told("environment") == [*created, *changed, *deleted, "upstream.delete"]
    assert AuditEntry.objects.get(action="upstream.update").after == {"base_url": "https://moon.example/v1"}
    assert CANARY not in str(list(AuditEntry.objects.values()))


def test_the_administrator_of_a_one_time_link():
    create_administrator(token=make_token(), email="root@b.co", password=CANARY)
    assert told("adminlink") == ["user.create", "organization.create", "member.create"]
    entry = AuditEntry.objects.get(action="user.create")
    assert (entry.after["email"], entry.after["is_superuser"]) == ("root@b.co", True)
    assert CANARY not in str(vars(entry))
