"""Which key may do what on `/v1`."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError

from accounts import keys, members, rotation
from accounts.models import APIKey
from billing.models import RefusalCount, RefusedRequest
from routing.runtime import get_runtime
from tests.gateway.callers import eventually, read_until
from tests.gateway.conftest import in_force


@pytest.mark.parametrize(
    "form",
    [
        "authorization: Bearer {}",
        "Authorization: bearer {}",
        "authorization: BEARER   {}",
        "x-api-key: {}",
        "api-key: {}",
    ],
)
def test_a_key_is_taken_in_each_usual_form(caller, form):
    name, _, value = form.format(caller.secret).partition(": ")
    assert caller.request("GET", "/v1/models", {name: value}).status == 200


def test_the_bearer_comes_before_other_headers(caller):
    assert caller.get("/v1/models", **{"x-api-key": "sk-other"}).status == 200
    assert (
        caller.request("GET", "/v1/models", {"authorization": "Bearer sk-x", "x-api-key": caller.secret}).status == 401
    )


def test_an_empty_bearer_leaves_the_place_to_other_headers(caller):
    asked = {"authorization": "Bearer", "x-api-key": caller.secret}
    assert caller.request("GET", "/v1/models", asked).status == 200


@pytest.mark.parametrize("path", ["/v1/models?api_key={}", "/v1/models?key={}", "/v1/key?access_token={}"])
def test_a_key_in_the_address_is_refused(caller, stranger, path):
    reply = stranger.get(path.format(caller.secret))
    assert reply.status == 401
    assert "never in the address" in reply.error["message"]
    assert caller.secret not in reply.text


def wrong_secrets():
    good = str(keys.generate_secret())
    typo = good[:-8] + ("A" if good[-8] != "A" else "B") + good[-7:]
    others = {"placeholder": "YOUR_SMARTOKEN_KEY", "management": "smt-mgmt-abc"}
    wrong = {"unknown": good, "typo": typo, "foreign": "sk-proj-abc", "long": "sk-smt-" + "a" * 5000, "text": "ключ"}
    return wrong | others


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("unknown", "not known here"),
        ("typo", "misspelt, or cut short"),
        ("foreign", "they begin with sk-smt-"),
        ("long", "misspelt, or cut short"),
        ("text", "they begin with sk-smt-"),
        ("placeholder", "placeholder of a sample"),
        ("management", "calls no model"),
    ],
)
def test_a_wrong_key_is_refused_and_told_why_it_may_be_wrong(caller, kind, told):
    reply = caller.request("GET", "/v1/models", {"authorization": b"Bearer " + wrong_secrets()[kind].encode()})
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    assert told in reply.error["message"]
    assert reply.error["type"] == "authentication_error"
    assert reply.headers["x-should-retry"] == "false"


def test_no_key_is_refused_before_the_body_is_read(stranger):
    reply = stranger.post(b"x" * (33 * 2**20))
    assert reply.status == 401


def test_made_up_keys_drive_no_real_one_out_of_memory(caller, stranger, monkeypatch):
    monkeypatch.setattr(keys, "CACHE_ENTRIES", 10)
    monkeypatch.setattr(keys, "UNKNOWN_ENTRIES", 2)
    caller.get("/v1/models")
    in_force()
    caller.get("/v1/models")
    for _ in range(12):
        stranger.get("/v1/models", authorization=f"Bearer {keys.generate_secret()}")
    cache = get_runtime().keys
    assert cache.remember(caller.secret)
    assert len(cache._unknown) == 2


def test_a_revoked_key_is_refused_at_once(make_key, make_caller, wallet, caller):
    key, secret = make_key()
    caller.secret = secret
    assert caller.get("/v1/models").status == 200
    keys.revoke_key(key=key)
    in_force()
    reply = caller.get("/v1/models")
    assert reply.status == 401
    assert "revoked" in reply.error["message"]


def test_revoking_cuts_running_answers(make_key, caller, add_route, wallet):
    key, caller.secret = make_key()
    add_route("held")
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        keys.revoke_key(key=key)
        last = read_until(lines, "error")[-1]
    assert '"code":"invalid_api_key"' in last
    assert eventually(lambda: wallet.spent) > 0


def test_revoking_cuts_running_answers_although_the_database_stumbles(make_key, caller, add_route, wallet, monkeypatch):
    find_revoked, stumbles = keys.find_revoked, iter([DataError("no"), DataError("again")])

    def stumble(ids):
        if error := next(stumbles, None):
            raise error
        return find_revoked(ids)

    monkeypatch.setattr(keys, "find_revoked", stumble)
    key, caller.secret = make_key()
    add_route("held")
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        keys.revoke_key(key=key)
        assert '"code":"invalid_api_key"' in read_until(lines, "error")[-1]


def test_nothing_waits_while_the_database_is_asked_for_revoked_keys(
    make_key, make_caller, caller, add_route, wallet, monkeypatch, settings
):
    asked, awake = threading.Event(), threading.Event()

    def hang(ids):
        asked.set()
        awake.wait(10)
        return set()

    monkeypatch.setattr(keys, "find_revoked", hang)
    settings.IDLE_SECONDS = 0.2
    add_route("held")
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, "Hello")
        make_key()
        assert asked.wait(5)
        assert '"code":"upstream_timeout"' in read_until(lines, "error")[-1]
        assert not awake.is_set()
    awake.set()


def test_the_old_secret_works_until_its_grace_is_over(make_key, caller, wallet):
    key, old = make_key()
    new = rotation.rotate_key(key=key, grace=timedelta(hours=1))
    in_force()
    for secret in (old, new):
        caller.secret = secret
        assert caller.get("/v1/models").status == 200
    APIKey.objects.filter(pk=key.pk).update(previous_until=datetime.now(UTC))
    in_force()
    assert caller.get("/v1/models").status == 200
    caller.secret = old
    reply = caller.get("/v1/models")
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    assert "replaced" in reply.error["message"]


def test_the_grace_of_an_old_secret_ends_in_memory_too(make_key, caller, wallet):
    key, caller.secret = make_key()
    rotation.rotate_key(key=key, grace=timedelta(seconds=1))
    in_force()
    assert caller.get("/v1/models").status in (200, 401)
    assert eventually(lambda: caller.get("/v1/models").status == 401)


def test_an_expired_key_is_refused(make_caller):
    reply = make_caller(expires_at=datetime.now(UTC) - timedelta(seconds=1)).get("/v1/models")
    assert reply.status == 401
    assert "expired" in reply.error["message"]


def test_a_key_that_expires_later_is_good(make_caller):
    assert make_caller(expires_at=datetime.now(UTC) + timedelta(hours=1)).get("/v1/models").status == 200


def test_a_closed_organization_is_refused(caller, member):
    type(member.organization).objects.filter(pk=member.organization_id).update(closed_at=datetime.now(UTC))
    in_force()
    reply = caller.get("/v1/models")
    assert (reply.status, reply.error["code"]) == (403, "organization_closed")


def test_a_family_that_is_not_allowed_is_refused_and_not_listed(make_caller, wallet):
    caller = make_caller(families=["kimi"])
    reply = caller.chat(model="deepseek")
    assert (reply.status, reply.error["code"]) == (403, "model_not_allowed")
    assert [model["id"] for model in caller.get("/v1/models").json["data"]] == ["kimi"]
    assert caller.get("/v1/models/deepseek").status == 403


def test_an_address_that_is_not_allowed_is_refused(make_caller):
    reply = make_caller(allowed_addresses=["203.0.113.0/24"]).get("/v1/models")
    assert (reply.status, reply.error["code"]) == (403, "address_not_allowed")
    assert "127.0.0.1" in reply.error["message"]


def test_an_address_in_an_allowed_network_passes(make_caller):
    assert make_caller(allowed_addresses=["127.0.0.0/8", "::1"]).get("/v1/models").status == 200


def test_nobody_outside_a_trusted_proxy_can_claim_an_address(make_caller):
    caller = make_caller(allowed_addresses=["203.0.113.7"])
    assert caller.get("/v1/models", **{"x-forwarded-for": "203.0.113.7"}).status == 403


def test_a_trusted_proxy_tells_the_address_from_the_right(make_caller, settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    caller = make_caller(allowed_addresses=["203.0.113.7"])
    assert caller.get("/v1/models", **{"x-forwarded-for": "10.0.0.1, 203.0.113.7"}).status == 200
    assert caller.get("/v1/models", **{"x-forwarded-for": "203.0.113.7, 10.0.0.1"}).status == 403


def test_plain_http_is_refused_where_the_public_address_is_https(caller, settings):
    settings.SECURE = True
    reply = caller.get("/v1/models")
    assert (reply.status, reply.error["code"]) == (403, "https_required")


def test_https_at_a_trusted_proxy_counts(caller, settings):
    settings.SECURE, settings.TRUSTED_PROXIES = True, ["127.0.0.1"]
    reply = caller.get("/v1/models", **{"x-forwarded-proto": "https"})
    assert reply.status == 200
    assert "strict-transport-security" in reply.headers


def test_the_playgrounds_key_opens_nothing(member, stranger):
    keys.playground_key(organization=member.organization, user=member.user)
    stranger.secret = "playground"
    assert stranger.get("/v1/models").status == 401


def test_another_organizations_key_spends_its_own_money(make_caller, wallet, add_route, http_client, gateway):
    from accounts import people
    from tests.gateway.callers import Caller

    add_route("ok")
    other = people.ensure_member(email="other@example.com")[0]
    _, secret = keys.create_key(organization=other.organization, created_by=other.user, name="other")
    assert Caller(http_client, gateway.url, secret).chat().status == 402
    assert members.find_membership(user=other.user) == other
    assert wallet.spent == 0


def test_refusals_are_counted_by_key_and_code(make_key, caller):
    key, caller.secret = make_key()
    for _ in range(3):
        caller.chat(model="nothing-like-it")
    counted = eventually(lambda: RefusalCount.objects.filter(key=key).first())
    assert counted.code == "model_not_found"
    assert eventually(lambda: sum(RefusalCount.objects.filter(key=key).values_list("requests", flat=True)) == 3)


def test_a_refused_request_is_kept_with_its_reason_and_not_with_its_words(make_key, make_caller, caller):
    key, caller.secret = make_key(families=["kimi"])
    caller.chat(model="deepseek")
    caller.chat(model="a secret plan")
    caller.chat(temperature="a secret plan")
    kept = eventually(
        lambda: (rows := RefusedRequest.objects.filter(key=key).order_by("pk")).count() == 3 and list(rows)
    )
    assert [row.code for row in kept] == ["model_not_allowed", "model_not_found", "invalid_request"]
    assert kept[0].reason == "This key may not use DeepSeek."
    assert [row.param for row in kept] == ["model", "model", "temperature"]
    assert "secret plan" not in str(list(RefusedRequest.objects.values()))


def test_a_key_without_the_word_bearer_is_told_so(caller):
    reply = caller.request("GET", "/v1/models", {"authorization": caller.secret})
    assert reply.status == 401
    assert "Bearer" in reply.error["message"]
    assert caller.secret not in reply.text


def test_a_call_with_a_key_that_has_ended_is_kept_under_the_id_that_the_client_was_told(make_key, caller):
    key, caller.secret = make_key()
    keys.revoke_key(key=key)
    reply = eventually(lambda: (answer := caller.chat()).status == 401 and answer)
    kept = eventually(lambda: RefusedRequest.objects.filter(request=reply.headers["x-request-id"]).first())
    assert (kept.key, kept.code) == (key, "invalid_api_key")
    assert kept.reason == "This API key was revoked. Make a new one in the console."
