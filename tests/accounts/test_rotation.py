"""A new secret for a key: who gets it, how long the old one works, what is written down."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import keys, rotation
from accounts.models import APIKey, AuditEntry, Membership

WEEK = timedelta(days=7)


@pytest.fixture
def made(alice: Membership) -> tuple[APIKey, keys.Secret]:
    return keys.create_key(organization=alice.organization, created_by=alice.user, name="prod-eu")


@pytest.fixture
def key(made) -> APIKey:
    return made[0]


def test_the_new_secret_takes_the_old_ones_place(made):
    key, old = made
    new = rotation.rotate_key(key=key, grace=WEEK)
    assert (bytes(key.digest), key.prefix) == (keys.digest_secret(new), new[:11])
    assert (bytes(key.previous_digest), key.previous_prefix) == (keys.digest_secret(old), old[:11])
    assert timedelta(0) < key.previous_until - timezone.now() <= WEEK


def test_who_rotates_twice_ends_the_first_secret(made):
    key, old = made
    second = rotation.rotate_key(key=key, grace=WEEK)
    rotation.rotate_key(key=key, grace=WEEK)
    assert bytes(key.previous_digest) == keys.digest_secret(second) != keys.digest_secret(old)


def test_it_is_written_down_without_a_secret(key):
    secret = rotation.rotate_key(key=key, grace=WEEK, actor="alice@example.com")
    entry = AuditEntry.objects.get(action="key.rotate")
    assert (entry.actor, entry.after["prefix"]) == ("alice@example.com", secret[:11])
    assert "digest" not in str(entry.before) + str(entry.after)


def test_the_old_secret_can_be_ended_early(key):
    rotation.rotate_key(key=key, grace=WEEK)
    rotation.end_grace(key=key)
    ended = key.previous_until
    rotation.end_grace(key=key)
    assert (key.is_rotating, key.previous_until) == (False, ended)
    assert AuditEntry.objects.filter(action="key.rotate").count() == 2


@pytest.mark.parametrize("grace", [timedelta(seconds=-1), timedelta(days=31)])
def test_a_grace_out_of_range_is_refused(key, grace):
    with pytest.raises(keys.KeyInputError, match="30 days"):
        rotation.rotate_key(key=key, grace=grace)


def test_a_revoked_key_gets_no_secret(key):
    keys.revoke_key(key=key)
    with pytest.raises(keys.KeyInputError, match="revoked"):
        rotation.rotate_key(key=key, grace=WEEK)


def test_the_page_shows_the_new_secret_once(alice, sign_in, key, catalogue):
    client = sign_in(alice)
    assert "Rotate “prod-eu”?" in client.get(f"/console/keys/{key.pk}/rotate/").content.decode()
    response = client.post(f"/console/keys/{key.pk}/rotate/", {"grace": "week"})
    secret = re.search(r"sk-smt-\w{38}", response.content.decode())[0]
    key.refresh_from_db()
    assert bytes(key.digest) == keys.digest_secret(secret)
    assert "no-store" in response.headers["Cache-Control"]
    page = client.get(f"/console/keys/{key.pk}/").content.decode()
    assert secret not in page
    assert f"The old secret, <code>{key.previous_prefix}…</code>, works until" in page


def test_the_page_ends_the_old_secret(alice, sign_in, key):
    rotation.rotate_key(key=key, grace=WEEK)
    page = sign_in(alice).post(f"/console/keys/{key.pk}/rotate/", {"end": "1"}, follow=True).content.decode()
    key.refresh_from_db()
    assert not key.is_rotating
    assert "is refused from now on" in page


@pytest.mark.parametrize("grace", ["", "for ever"])
def test_a_choice_that_is_none_is_named(alice, sign_in, key, grace):
    page = sign_in(alice).post(f"/console/keys/{key.pk}/rotate/", {"grace": grace}).content.decode()
    assert "Select a valid choice" in page or "This field is required" in page
    assert not APIKey.objects.get().previous_digest


def test_strangers_members_and_revoked_keys_find_no_page(alice, bob, carol, sign_in, key):
    for person in (bob, carol):
        assert sign_in(person).post(f"/console/keys/{key.pk}/rotate/", {"grace": "day"}).status_code == 404
    keys.revoke_key(key=key)
    assert sign_in(alice).get(f"/console/keys/{key.pk}/rotate/").status_code == 404
    assert not APIKey.objects.get(pk=key.pk).previous_digest


def test_a_call_before_the_new_secret_is_not_its_first(alice, sign_in, key):
    later = timezone.now().isoformat()
    assert sign_in(alice).get(f"/console/keys/{key.pk}/first-call/", {"since": later}).json() == {"refused": ""}
    assert sign_in(alice).get(f"/console/keys/{key.pk}/first-call/", {"since": "x"}).status_code == 200
