import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command

from accounts.keys import digest_secret, is_well_formed
from accounts.models import APIKey, Organization, User
from routing.catalog.loader import load_catalog

pytestmark = pytest.mark.django_db


def run(capsys, *arguments):
    call_command("createkey", *arguments)
    return capsys.readouterr().out.splitlines()


def test_it_makes_user_organization_and_key(capsys):
    *_, secret = run(capsys, "--email", "Dev@Example.com")
    assert is_well_formed(secret)
    key = APIKey.objects.get(digest=digest_secret(secret))
    assert key.created_by.email == "dev@example.com"
    assert not key.created_by.has_usable_password()
    assert key.organization.memberships.get().role == "owner"
    assert EmailAddress.objects.get(user=key.created_by).verified


def test_it_sets_families_budgets_and_rate(capsys):
    load_catalog()
    run(capsys, "--email=a@b.co", "--families=kimi, internlm3", "--daily=0.5", "--monthly=20", "--rpm=60", "--name=CI")
    key = APIKey.objects.get()
    assert (key.name, key.families) == ("CI", ["kimi", "internlm"])
    assert (key.daily_budget_nanos, key.monthly_budget_nanos, key.requests_per_minute) == (5 * 10**8, 2 * 10**10, 60)


def test_a_second_key_belongs_to_the_same_organization(capsys):
    run(capsys, "--email=a@b.co")
    run(capsys, "--email=A@b.co")
    assert User.objects.count() == Organization.objects.count() == 1
    assert APIKey.objects.count() == 2


def test_an_existing_user_keeps_password_and_organization(capsys):
    User.objects.create_user("a@b.co", "correct horse")
    run(capsys, "--email=a@b.co")
    assert User.objects.get().check_password("correct horse")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--email"),
        (["--email=nope"], "'nope' is not an e-mail address"),
        (["--email=a@b.co", "--families=kimmi"], "did you mean 'kimi'"),
        (["--email=a@b.co", "--families=,"], "name at least one family"),
        (["--email=a@b.co", "--daily=-1"], "out of range"),
        (["--email=a@b.co", "--daily=NaN"], "out of range"),
        (["--email=a@b.co", "--monthly=1e40"], "out of range"),
        (["--email=a@b.co", "--monthly=ten"], "not an amount"),
        (["--email=a@b.co", "--rpm=0"], "not a whole number from 1"),
        (["--email=a@b.co", "--rpm=99999999999"], "not a whole number from 1"),
        (["--email=a@b.co", "--name="], "write 1 to 100"),
    ],
)
def test_a_wrong_input_says_what_and_changes_nothing(arguments, message):
    load_catalog()
    with pytest.raises(CommandError, match=message):
        call_command("createkey", *arguments)
    assert not User.objects.exists()
    assert not APIKey.objects.exists()


def test_a_person_who_is_switched_off_gets_no_key():
    User.objects.create_user("a@b.co", is_active=False)
    with pytest.raises(CommandError, match="switched off"):
        call_command("createkey", "--email=a@b.co")
    assert not Organization.objects.exists()


def test_empty_families_are_refused(db):
    with pytest.raises(CommandError, match="name at least one family"):
        call_command("createkey", "--email=a@example.com", "--families=")
    assert not APIKey.objects.exists()
