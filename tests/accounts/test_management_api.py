"""What programs do with a management key."""

import pytest
from django.core.cache import cache
from django.test import Client

from accounts import keys, management_keys
from accounts.models import APIKey, AuditEntry, ManagementKey, Membership, User
from billing import ledger
from billing.money import NANOS


@pytest.fixture(autouse=True)
def no_requests_yet():
    cache.clear()


class Program:
    """A program that shows a key."""

    def __init__(self, secret):
        self.client = Client(headers={"authorization": f"Bearer {secret}"})

    def send(self, method, path, **body):
        options = {"data": body, "content_type": "application/json"} if method in ("post", "patch") else {"data": body}
        return getattr(self.client, method)(f"/api/{path}", **options)


@pytest.fixture
def secret(alice):
    return management_keys.create(organization=alice.organization, created_by=alice.user, name="CI")[1]


@pytest.fixture
def program(secret, catalogue):
    return Program(secret)


def test_a_key_is_made_changed_and_revoked(program, alice):
    made = program.send("post", "keys/", name="Nightly", families=["kimi"], daily_budget_usd="2.50")
    assert made.status_code == 201
    key = APIKey.objects.get()
    assert keys.digest_secret(made.json()["secret"]) == bytes(key.digest)
    assert (key.organization, key.daily_budget_nanos, key.families) == (alice.organization, 2_500_000_000, ["kimi"])

    changed = program.send("patch", f"keys/{key.pk}/", daily_budget_usd=None, name="Weekly").json()
    assert (changed["daily_budget_usd"], changed["name"], "secret" in changed) == (None, "Weekly", False)
    assert program.send("delete", f"keys/{key.pk}/").status_code == 204
    assert program.send("get", f"keys/{key.pk}/").json()["state"] == "revoked"
    actions = AuditEntry.objects.filter(action__startswith="key.").order_by("pk")
    assert [(entry.action, entry.actor) for entry in actions] == [
        (f"key.{verb}", alice.user.email) for verb in ("create", "update", "revoke")
    ]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({}, "name"),
        ({"name": "x", "daily_budget_usd": "many"}, "daily_budget_usd"),
        ({"name": "x", "families": ["nobody"]}, "families"),
        ({"name": "x", "allowed_addresses": ["here"]}, "allowed_addresses"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "9999-12-31T23:59:59Z"}, "expires_at"),
        ({"name": "x", "requests_per_minute": 0}, "requests_per_minute"),
        ({"name": "x", "daily_usd": "5"}, "daily_usd"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_made(program, wrong, param):
    answer = program.send("post", "keys/", **wrong)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert not APIKey.objects.exists()


def test_a_list_has_pages(program, alice):
    for place in range(51):
        keys.create_key(organization=alice.organization, created_by=alice.user, name=f"Key {place}")
    first = program.send("get", "keys/").json()
    rest = program.send("get", "keys/", after=first["next"]).json()
    assert [key["name"] for key in first["data"] + rest["data"]] == [f"Key {place}" for place in reversed(range(51))]
    assert rest["next"] == ""


def test_the_wallet_tells_what_is_there(program, alice):
    ledger.grant(organization=alice.organization, nanos=7 * NANOS, actor="test")
    assert program.send("get", "wallet/").json() == {
        "added_usd": "7",
        "spent_usd": "0",
        "held_usd": "0",
        "available_usd": "7",
        "currency": "USD",
    }


@pytest.mark.parametrize("query", [{"since": "yesterday"}, {"key": "x"}, {"status": "great"}])
def test_a_question_about_usage_that_makes_no_sense(program, query):
    answer = program.send("get", "usage/", **query)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, next(iter(query)))


def test_another_organizations_key_is_not_found(program, bob):
    key, _ = keys.create_key(organization=bob.organization, created_by=bob.user, name="Bob's")
    for method in ("get", "patch", "delete"):
        assert program.send(method, f"keys/{key.pk}/").status_code == 404
    assert program.send("get", "keys/").json()["data"] == []


def _stop_owning(membership):
    Membership.objects.filter(pk=membership.pk).update(role="admin")


def _lock_out(membership):
    User.objects.filter(pk=membership.user_id).update(is_active=False)


def _revoke(membership):
    management_keys.revoke(key=ManagementKey.objects.get(), actor="test")


@pytest.mark.parametrize("end", [_stop_owning, _lock_out, _revoke])
def test_a_key_ends_with_its_person_and_its_life(program, alice, end):
    assert program.send("get", "keys/").status_code == 200
    end(alice)
    answer = program.send("get", "keys/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_management_key")


def test_neither_a_session_nor_an_api_key_opens_it(alice, sign_in, catalogue):
    _, secret = keys.create_key(organization=alice.organization, created_by=alice.user, name="Mine")
    assert sign_in(alice).get("/api/keys/").status_code == 401
    assert Program(secret).send("get", "keys/").status_code == 401


def test_the_secret_is_shown_once_and_not_stored(alice, sign_in):
    browser = sign_in(alice)
    page = browser.post("/console/management-keys/", {"name": "Job"}).content.decode()
    secret = page.split('id="secret">')[1].split("<")[0]
    assert management_keys.find_membership(secret) == alice
    assert secret not in browser.get("/console/management-keys/").content.decode()
    assert secret not in str(ManagementKey.objects.values()) + str(AuditEntry.objects.values())


def test_an_organization_has_so_many(alice, sign_in, monkeypatch):
    monkeypatch.setattr(management_keys, "MOST", 2)
    browser = sign_in(alice)
    pages = [browser.post("/console/management-keys/", {"name": f"Job {number}"}) for number in range(3)]
    assert "There are 2 management keys: revoke one" in pages[2].content.decode()
    assert ManagementKey.objects.count() == 2


def test_a_misspelt_field_is_refused_with_the_nearest(program):
    error = program.send("post", "keys/", name="x", daily_budget="5").json()["error"]
    assert (error["code"], "Did you mean 'daily_budget_usd'?" in error["message"]) == ("unknown_field", True)
    assert not APIKey.objects.exists()


@pytest.mark.parametrize(("name", "told"), [("kimmi", "did you mean 'kimi'?"), ("internlm3", "its family, 'internlm'")])
def test_an_unknown_family_is_told_which_was_meant(program, name, told):
    assert told in program.send("post", "keys/", name="x", families=[name]).json()["error"]["message"]


def test_what_was_read_can_be_sent_back(program):
    made = program.send("post", "keys/", name="x").json()
    del made["secret"]
    assert program.send("patch", f"keys/{made['id']}/", **made | {"name": "y"}).json()["name"] == "y"


@pytest.mark.parametrize(("path", "hint"), [("keys", "ends in a slash"), ("nothing/", "/api/schema/")])
def test_an_address_that_there_is_not_answers_a_program(program, path, hint):
    answer = program.send("post", path, name="x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_endpoint")
    assert hint in answer.json()["error"]["message"]


def test_the_schema_tells_each_endpoint_by_name_with_its_errors(client, db):
    schema = client.get("/api/schema/?format=json", headers={"accept": "application/json"}).json()
    assert schema["info"]["title"] == "SmarToken management API"
    told = [one for path in schema["paths"].values() for one in path.values()]
    names = {one["operationId"] for one in told}
    assert {"list_keys", "create_key", "read_key", "update_key", "revoke_key", "list_usage", "read_wallet"} == names
    assert all("429" in one["responses"] for one in told)


def test_the_schema_names_every_path(client, db):
    schema = client.get("/api/schema/").content.decode()
    for path in ("/api/keys/:", "/api/keys/{id}/:", "/api/usage/:", "/api/wallet/:", "managementKey"):
        assert path in schema


def test_what_nobody_foresaw_is_told_as_an_error_too(program, monkeypatch, caplog):
    monkeypatch.setattr("accounts.api.page_by_id", lambda *_: 1 // 0)
    answer = program.send("get", "keys/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "KeyList broke" in caplog.text and "ZeroDivisionError" in caplog.text
