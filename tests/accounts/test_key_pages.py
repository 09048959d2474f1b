import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts import keys
from accounts.models import APIKey, Membership
from billing import budgets
from billing.models import Limit
from billing.money import NANOS

FORM = {"name": "nightly", "daily_budget_nanos": "0.50", "monthly_budget_nanos": "$5", "requests_per_minute": "60"}


@pytest.fixture
def key(alice: Membership) -> APIKey:
    return keys.create_key(organization=alice.organization, created_by=alice.user, name="prod-eu")[0]


def test_a_new_key_is_shown_once_with_code_that_holds_it(alice, sign_in, catalogue):
    client = sign_in(alice)
    response = client.post("/console/keys/new/", FORM)
    secret = re.search(r"sk-smt-\w{38}", response.content.decode())[0]
    key = APIKey.objects.get()
    assert key.digest == keys.digest_secret(secret)
    assert "no-store" in response.headers["Cache-Control"]
    assert response.content.decode().count(secret) == 4  # by itself and in three languages
    for path in ("/console/keys/", f"/console/keys/{key.pk}/"):
        assert secret not in client.get(path).content.decode()


def test_the_form_makes_the_key_it_describes(alice, sign_in, catalogue):
    more = {"families": ["kimi", "qwen"], "allowed_addresses": "203.0.113.7\n2001:db8::/32", "expires_on": "2999-12-31"}
    sign_in(alice).post("/console/keys/new/", FORM | more)
    key = APIKey.objects.get()
    assert (key.name, key.families, key.requests_per_minute) == ("nightly", ["kimi", "qwen"], 60)
    assert (key.daily_budget_nanos, key.monthly_budget_nanos) == (NANOS // 2, 5 * NANOS)
    assert key.allowed_addresses == ["203.0.113.7/32", "2001:db8::/32"]
    assert key.expires_at == datetime(3000, 1, 1, tzinfo=UTC)


def test_the_last_day_ends_in_the_organizations_zone(alice, sign_in):
    alice.organization.time_zone = "Asia/Shanghai"
    alice.organization.save()
    sign_in(alice).post("/console/keys/new/", {"name": "nightly", "expires_on": "2999-12-31"})
    assert APIKey.objects.get().expires_at == datetime(2999, 12, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "written", "problem"),
    [
        ("name", "", "This field is required."),
        ("daily_budget_nanos", "ten", "is not an amount in US dollars"),
        ("monthly_budget_nanos", "-1", "is out of range"),
        ("requests_per_minute", "0", "greater than or equal to 1"),
        ("expires_on", "2020-01-01", "This day is over"),
        ("expires_on", "9999-12-31", "Write a year between"),
        ("allowed_addresses", "example.com", "“example.com” is not an address or a network"),
        ("families", "gpt", "Select a valid choice"),
    ],
)
def test_bad_input_is_named_and_kept(alice, sign_in, catalogue, field, written, problem):
    page = sign_in(alice).post("/console/keys/new/", FORM | {field: written}).content.decode()
    assert problem in page
    assert 'aria-invalid="true"' in page
    assert (written if field != "families" else "nightly") in page
    assert (FORM["monthly_budget_nanos"] if field == "requests_per_minute" else 'value="60"') in page
    assert not APIKey.objects.exists()


def test_an_edit_holds_for_the_current_day(alice, sign_in, key):
    budgets.open_windows([key.pk])
    sign_in(alice).post(f"/console/keys/{key.pk}/", {"name": "renamed", "daily_budget_nanos": "2"})
    key.refresh_from_db()
    assert (key.name, key.daily_budget_nanos) == ("renamed", 2 * NANOS)
    assert Limit.objects.get(key=key, kind="key_day").limit_nanos == 2 * NANOS


def test_an_edit_keeps_an_expiry_that_was_not_touched(alice, sign_in, key):
    moment = timezone.now() + timedelta(hours=5)
    keys.update_key(key=key, expires_at=moment)
    client = sign_in(alice)
    form = client.get(f"/console/keys/{key.pk}/").context["form"]
    shown = form["expires_on"].value().isoformat()
    client.post(f"/console/keys/{key.pk}/", {"name": "renamed", "expires_on": shown})
    key.refresh_from_db()
    assert (key.name, key.expires_at) == ("renamed", moment)


def test_a_key_is_revoked_by_post_alone(alice, sign_in, key):
    client = sign_in(alice)
    assert "Revoke “prod-eu”?" in client.get(f"/console/keys/{key.pk}/revoke/").content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None
    page = client.post(f"/console/keys/{key.pk}/revoke/", follow=True).content.decode()
    key.refresh_from_db()
    assert key.revoked_at
    assert "is revoked" in page


def test_a_revoked_key_cannot_be_edited(alice, sign_in, key):
    keys.revoke_key(key=key)
    client = sign_in(alice)
    client.post(f"/console/keys/{key.pk}/", {"name": "back again"})
    key.refresh_from_db()
    assert key.name == "prod-eu"
    assert "prod-eu" not in client.get("/console/keys/").content.decode()
    assert "prod-eu" in client.get("/console/keys/?revoked=1").content.decode()


def test_the_playground_key_has_budgets_but_no_end(alice, sign_in):
    key = keys.playground_key(organization=alice.organization, user=alice.user)
    client = sign_in(alice)
    client.post(f"/console/keys/{key.pk}/", {"daily_budget_nanos": "1"})
    key.refresh_from_db()
    assert (key.daily_budget_nanos, key.name) == (NANOS, "Playground")
    assert client.post(f"/console/keys/{key.pk}/revoke/").status_code == 404


@pytest.mark.parametrize("page", ["", "revoke/", "first-call/"])
def test_a_stranger_finds_no_key(bob, sign_in, key, page):
    client = sign_in(bob)
    assert client.get(f"/console/keys/{key.pk}/{page}").status_code == 404
    assert client.post(f"/console/keys/{key.pk}/{page}", {"name": "mine"}).status_code in (404, 405)
    key.refresh_from_db()
    assert (key.name, key.revoked_at) == ("prod-eu", None)
    assert "prod-eu" not in client.get("/console/keys/").content.decode()


def test_a_plain_member_sees_their_own_keys(alice, carol, sign_in, key):
    keys.create_key(organization=alice.organization, created_by=carol.user, name="carols")
    page = sign_in(carol).get("/console/keys/").content.decode()
    assert "carols" in page
    assert "prod-eu" not in page
    assert sign_in(carol).get(f"/console/keys/{key.pk}/").status_code == 404


def test_the_list_says_whose_another_persons_key_is(alice, carol, sign_in, key):
    keys.create_key(organization=alice.organization, created_by=carol.user, name="of carol")
    assert sign_in(alice).get("/console/keys/").text.count("<small>carol@example.com</small>") == 1
    assert "<small>carol@example.com</small>" not in sign_in(carol).get("/console/keys/").text


def test_management_keys_are_closed_to_plain_members_in_words_of_their_own(carol, sign_in):
    page = sign_in(carol).get("/console/management-keys/")
    assert page.status_code == 403
    assert "Management keys are not open to you" in page.text


def test_a_name_cannot_write_into_the_page(alice, sign_in, catalogue):
    response = sign_in(alice).post("/console/keys/new/", {"name": "<script>alert(1)</script>"})
    assert b"<script>alert" not in response.content


def test_nothing_arrived_before_the_first_call(alice, sign_in, key):
    assert sign_in(alice).get(f"/console/keys/{key.pk}/first-call/").json() == {"refused": ""}


def test_keys_are_found_by_name_and_by_the_beginning_of_a_secret(alice, sign_in, key):
    other, secret = keys.create_key(organization=alice.organization, created_by=alice.user, name="nightly 100%")
    client = sign_in(alice)
    for asked in ("NIGHT", "100%", secret[:11], secret):
        page = client.get("/console/keys/", {"q": asked}).content.decode()
        assert f"/console/keys/{other.pk}/" in page and f"/console/keys/{key.pk}/" not in page
    assert "No key matches" in client.get("/console/keys/", {"q": "nobody's"}).content.decode()


def test_pages_of_keys_follow_each_other(alice, sign_in):
    for number in range(55):
        keys.create_key(organization=alice.organization, created_by=alice.user, name=f"key-{number:02}")
    client = sign_in(alice)
    first = client.get("/console/keys/")
    second = client.get("/console/keys/", {"after": first.context["page"].next})
    names = [row["key"].name for page in (first, second) for row in page.context["rows"]]
    assert names == [f"key-{number:02}" for number in reversed(range(55))]


def test_the_list_asks_as_much_for_many_keys_as_for_one(alice, sign_in, django_assert_max_num_queries):
    for number in range(12):
        keys.create_key(organization=alice.organization, created_by=alice.user, name=f"key-{number}")
    client = sign_in(alice)
    with django_assert_max_num_queries(16):
        client.get("/console/keys/")


def test_a_key_says_why_it_does_not_work(alice, sign_in, catalogue, key, settings):
    client = sign_in(alice)
    keys.update_key(key=key, expires_at=timezone.now() - timedelta(hours=1))
    assert "This key expired on" in client.get(f"/console/keys/{key.pk}/").content.decode()
    keys.update_key(key=key, expires_at=None)
    budgets.update_key(key=key, daily_budget_nanos=NANOS)
    budgets.open_windows([key.pk])
    Limit.objects.filter(key=key, kind="key_day").update(spent_nanos=NANOS)
    assert "budget is used up: calls are refused until" in client.get(f"/console/keys/{key.pk}/").content.decode()
    assert "budget spent" in client.get("/console/keys/").content.decode()


def test_a_key_of_families_that_are_not_served_says_so(alice, sign_in, catalogue, key, settings):
    keys.update_key(key=key, families=["kimi"])
    client = sign_in(alice)
    assert "not served" not in client.get("/console/keys/").content.decode()
    settings.DEMO = False
    assert "not served" in client.get("/console/keys/").content.decode()
    assert "model_not_served" in client.get(f"/console/keys/{key.pk}/").content.decode()
