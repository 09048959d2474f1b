"""What an audit entry says, and what it never says."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import audit, keys, members
from accounts.models import AuditEntry, Membership
from billing import budgets
from routing.models import Upstream
from routing.pools import add_upstream

CANARY = "sk-canary-7f3a"


def last() -> AuditEntry:
    return AuditEntry.objects.latest("pk")


@pytest.fixture
def key(alice):
    return keys.create_key(organization=alice.organization, created_by=alice.user, name="nightly")[0]


@pytest.fixture
def upstream(catalogue) -> Upstream:
    return add_upstream(family="kimi", base_url="https://a.com", upstream_model="m", credential=CANARY).upstream


def test_a_new_key_tells_all_but_its_secret(alice):
    key, secret = keys.create_key(
        organization=alice.organization, created_by=alice.user, name="n", families=["kimi"], daily_budget_nanos=0
    )
    entry = last()
    assert (entry.action, entry.actor, entry.organization) == ("key.create", "alice@example.com", alice.organization)
    assert entry.before == {}
    assert entry.after == {
        "created_by": "alice@example.com",
        "kind": "standard",
        "name": "n",
        "prefix": key.prefix,
        "families": ["kimi"],
        "daily_budget_nanos": 0,
        "may_see_wallet": False,
    }
    assert secret not in str(vars(entry))
    assert bytes(key.digest).hex() not in str(vars(entry))


def test_a_change_tells_only_what_changed(key):
    ends = timezone.now() + timedelta(days=1)
    budgets.update_key(key=key, actor="root", name="nightly", daily_budget_nanos=5, expires_at=ends)
    entry = last()
    assert (entry.action, entry.actor, entry.target) == ("key.update", "root", f"API key {key}")
    assert entry.before == {"daily_budget_nanos": None, "expires_at": None}
    assert entry.after == {"daily_budget_nanos": 5, "expires_at": ends.isoformat()}


def test_a_change_that_changes_nothing_is_none(key):
    count = AuditEntry.objects.count()
    keys.update_key(key=key, actor="root", name="nightly", families=[])
    assert AuditEntry.objects.count() == count


def test_a_key_is_revoked_once(key):
    for _ in range(2):
        keys.revoke_key(key=key, actor="root")
    entry = AuditEntry.objects.get(action="key.revoke")
    assert entry.after == {"revoked_at": key.revoked_at.isoformat()}


def test_a_refused_change_leaves_no_entry(key):
    count = AuditEntry.objects.count()
    with pytest.raises(keys.KeyInputError):
        budgets.update_key(key=key, actor="root", name="", daily_budget_nanos=5)
    assert AuditEntry.objects.count() == count


def change(organization, **fields):
    same = {"name": "alice", "time_zone": "UTC", "budget_alerts": True, "low_balance_nanos": 10**9}
    members.update_organization(organization=organization, actor="alice", **(same | fields))


def test_an_entry_goes_with_its_change(alice):
    count = AuditEntry.objects.count()
    with transaction.atomic():
        change(alice.organization, name="New")
        assert AuditEntry.objects.count() == count + 1
        transaction.set_rollback(True)
    assert AuditEntry.objects.count() == count


def test_the_organizations_settings_are_told_from_what_was_stored(alice):
    organization = alice.organization
    organization.name = "A form writes into its row before anything is saved"
    change(organization, name="New", time_zone="Asia/Tokyo", low_balance_nanos=None)
    assert last().before == {"name": "alice", "time_zone": "UTC", "low_balance_nanos": 10**9}
    assert last().after == {"name": "New", "time_zone": "Asia/Tokyo", "low_balance_nanos": None}


def test_the_playground_key_is_made_once_by_whoever_comes_first(alice, carol):
    for membership in (alice, carol):
        keys.playground_key(organization=alice.organization, user=membership.user)
    entry = AuditEntry.objects.get(action="key.create")
    assert (entry.actor, entry.after["kind"]) == ("alice@example.com", "playground")


@pytest.mark.parametrize(("sealed", "says"), [(b"another", "set"), (None, "forgotten")])
def test_a_credential_is_only_set_or_forgotten(upstream, sealed, says):
    before = audit.read_stored(upstream)
    upstream.credential = sealed
    upstream.save()
    audit.record_changed(upstream, before=before, actor="root")
    assert (last().before, last().after) == ({}, {"credential": says})


def test_a_password_in_an_address_is_masked(upstream):
    before = audit.read_stored(upstream)
    upstream.proxy = f"http://me:{CANARY}@proxy:3128"
    upstream.save()
    audit.record_changed(upstream, before=before, actor="root")
    assert last().after == {"proxy": "http://***@proxy:3128"}


def test_what_hangs_on_a_deleted_row_is_told_too(upstream):
    audit.record_deleted(upstream, actor="root")
    entries = AuditEntry.objects.filter(action__endswith=".delete")
    assert {entry.action for entry in entries} == {"upstream.delete", "route.delete"}
    assert all(entry.after == {} for entry in entries)
    assert entries.get(action="route.delete").before["upstream_model"] == "m"
    assert CANARY not in str([vars(entry) for entry in entries])


def test_owner_and_admins_see_their_organizations_entries(alice, bob, carol):
    assert set(AuditEntry.objects.visible_to(alice).values_list("organization", flat=True)) == {alice.organization_id}
    Membership.objects.filter(pk=carol.pk).update(role="admin")
    carol.refresh_from_db()
    assert AuditEntry.objects.visible_to(carol).count() == AuditEntry.objects.visible_to(alice).count()


def test_a_plain_member_sees_none(carol):
    assert not AuditEntry.objects.visible_to(carol).exists()
