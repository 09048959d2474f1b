"""The one-time link that makes the administrator."""

import pytest
from django.core.management import call_command
from django.core.signing import TimestampSigner
from django.test import Client

from accounts import people
from accounts.adminlink import SALT, make_token
from accounts.models import User

pytestmark = pytest.mark.django_db
GIVEN = {"email": "Root@Example.com", "password": "a-long-enough-secret"}


@pytest.fixture
def link(settings, capsys) -> str:
    """The path of the link that the command prints."""
    call_command("adminlink")
    return capsys.readouterr().out.strip().removeprefix(settings.SMARTOKEN_URL)


def test_the_link_asks_for_an_address_and_a_password(client, link):
    page = client.get(link)
    assert page.status_code == 200
    assert 'name="email"' in page.text
    assert 'name="password"' in page.text
    assert not User.objects.exists()


def test_it_makes_an_administrator_with_everything_an_account_has(client, link):
    answer = client.post(link, GIVEN)
    assert answer.headers["location"] == "/admin/"
    user = User.objects.get()
    assert (user.email, user.is_staff, user.is_superuser) == ("root@example.com", True, True)
    assert user.emailaddress_set.get().verified
    assert user.memberships.get().role == "owner"
    assert client.get("/admin/").status_code == 200


def test_it_works_once(client, link):
    client.post(link, GIVEN)
    again = client.post(link, GIVEN | {"email": "second@example.com"})
    assert again.status_code == 410
    assert "adminlink" in again.text
    assert User.objects.count() == 1


def test_every_earlier_link_ends_with_it(client, link):
    earlier = f"/setup/{make_token()}/"
    client.post(link, GIVEN)
    assert client.get(earlier).status_code == 410


def test_a_used_link_stays_used_when_its_administrator_is_one_no_more(client, link):
    client.post(link, GIVEN)
    User.objects.update(is_superuser=False)
    assert client.get(link).status_code == 410


def test_a_later_link_makes_another_administrator(client, link):
    client.post(link, GIVEN)
    client.post(f"/setup/{make_token()}/", GIVEN | {"email": "second@example.com"})
    assert User.objects.filter(is_superuser=True).count() == 2


@pytest.mark.parametrize("token", ["0", "0:x:y", "0:1xVhnT:GmfmdfYwRwMWZDAWBuru0-fmTJyRalv5OcB_1wUvFrQ"])
def test_a_link_that_was_made_up_is_refused(client, token):
    assert client.get(f"/setup/{token}/").status_code == 410


def test_a_link_of_yesterday_is_refused(client, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    token = make_token()
    monkeypatch.undo()
    assert TimestampSigner(salt=SALT).unsign(token) == "0"  # only too old
    assert client.get(f"/setup/{token}/").status_code == 410


@pytest.mark.parametrize(
    ("field", "value"), [("password", "short"), ("password", "Root@Example.com"), ("email", "root"), ("email", "")]
)
def test_nonsense_is_told_and_nothing_made(client, link, field, value):
    answer = client.post(link, GIVEN | {field: value})
    assert answer.status_code == 200
    assert answer.context["form"].errors.keys() == {field}
    assert not User.objects.exists()


def test_an_address_that_has_an_account_is_refused_and_the_link_stays_good(client, link):
    people.ensure_member(email="root@example.com")
    assert "has an account already" in client.post(link, GIVEN).text
    assert client.post(link, GIVEN | {"email": "other@example.com"}).status_code == 302


def test_it_wants_the_csrf_token(link):
    assert Client(enforce_csrf_checks=True).post(link, GIVEN).status_code == 403
