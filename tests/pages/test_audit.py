"""The audit log in the console: what was changed there, who may read it, and how it reads."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from accounts import audit, keys, people, rotation
from accounts.models import APIKey, AuditEntry, Membership, User
from billing import ledger
from billing.money import NANOS

AUDIT = "/console/audit/"
KEY = {"name": "nightly", "daily_budget_nanos": "5", "allowed_addresses": ""}


@pytest.fixture
def owner(alice) -> Membership:
    return Membership.objects.select_related("organization").get(user__email="alice@example.com")


@pytest.fixture
def told(owner):
    """Return action, before and after of the entries since the last call; all must be Alice's, in her organization."""
    seen = set(AuditEntry.objects.values_list("pk", flat=True))

    def find():
        entries = list(AuditEntry.objects.exclude(pk__in=seen).order_by("pk"))
        seen.update(entry.pk for entry in entries)
        assert {(entry.actor, entry.organization) for entry in entries} <= {("alice@example.com", owner.organization)}
        return [(entry.action, entry.before, entry.after) for entry in entries]

    return find


def text(response, status=200) -> str:
    assert response.status_code == status
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def signed_in(membership) -> Client:
    client = Client()
    client.force_login(membership.user)
    return client


def test_a_key_is_made_changed_and_revoked(alice, told):
    page = alice.post("/console/keys/new/", KEY)
    [(action, _, after)] = told()
    assert (action, after["daily_budget_nanos"]) == ("key.create", 5 * NANOS)
    assert page.context["secret"] not in str(list(AuditEntry.objects.values()))
    key = APIKey.objects.get()
    for _ in range(2):
        alice.post(f"/console/keys/{key.pk}/", KEY | {"daily_budget_nanos": "7.50"})
    assert told() == [("key.update", {"daily_budget_nanos": 5 * NANOS}, {"daily_budget_nanos": 7_500_000_000})]
    for _ in range(2):
        alice.post(f"/console/keys/{key.pk}/revoke/")
    assert [action for action, _, _ in told()] == ["key.revoke"]


def test_the_organization_is_renamed(alice, told):
    given = {"form": "organization", "organization-name": "Acme", "organization-time_zone": "Asia/Tokyo"}
    given |= {"organization-budget_alerts": "on", "organization-low_balance_nanos": "1"}
    for _ in range(2):
        alice.post("/console/settings/", given)
    before, after = ({"name": "alice", "time_zone": "UTC"}, {"name": "Acme", "time_zone": "Asia/Tokyo"})
    assert told() == [("organization.update", before, after)]


def test_it_reads_in_words(alice, owner):
    key, _ = keys.create_key(organization=owner.organization, created_by=owner.user, name="nightly")
    keys.update_key(key=key, actor="mia@example.com", daily_budget_nanos=5 * NANOS, families=["kimi", "qwen"])
    ledger.grant(organization=owner.organization, nanos=NANOS, actor="grantcredit", reason="pilot")
    page = text(alice.get(AUDIT))
    assert f"mia@example.com API key {key} changed" in page
    assert "daily budget none → $5.00" in page
    assert "families none → kimi, qwen" in page
    assert "balance $0.00 → $1.00" in page
    assert "reason pilot" in page


def test_a_moment_is_read_as_one(alice, owner):
    key, _ = keys.create_key(organization=owner.organization, created_by=owner.user, name="nightly")
    rotation.rotate_key(key=key, grace=timedelta(days=1))
    assert re.search(r"previous until none → \d+ \w+ 20\d\d, [\d:]+ UTC", text(alice.get(AUDIT)))


def test_a_new_organization_has_its_beginning(alice):
    page = text(alice.get(AUDIT))
    assert "Organization alice added" in page
    assert "time zone UTC" in page


def test_an_empty_log_says_what_will_be_there(alice):
    AuditEntry.objects.all().delete()
    assert "No change yet" in text(alice.get(AUDIT))


def test_others_see_nothing_of_it(alice, owner):
    keys.create_key(organization=owner.organization, created_by=owner.user, name="nightly")
    bob = signed_in(people.ensure_member(email="bob@example.com")[0])
    page = text(bob.get(AUDIT))
    assert "nightly" not in page
    assert "alice" not in page


def test_a_plain_member_is_told_whom_to_ask(owner):
    user = User.objects.create_user("mia@example.com")
    member = Membership.objects.create(user=user, organization=owner.organization)
    client = signed_in(member)
    assert "not open to you" in text(client.get(AUDIT), 403)
    assert "Audit log" not in text(client.get("/console/settings/"))
    Membership.objects.filter(pk=member.pk).update(role="admin")
    assert "Organization alice added" in text(client.get(AUDIT))
    assert "Audit log" in text(client.get("/console/settings/"))


def test_visitors_are_sent_to_sign_in(client, db):
    assert client.get(AUDIT).headers["Location"] == f"/accounts/login/?next={AUDIT}"


def test_it_is_only_to_be_read(alice):
    assert alice.post(AUDIT).status_code == 405


def test_changes_of_the_site_are_not_an_organizations(alice):
    audit.record(actor="root", action="price.create", target="price of kimi since today")
    assert "kimi" not in text(alice.get(AUDIT))


def test_pages_follow_each_other(alice, owner):
    values = {"actor": "root", "action": "x.update", "organization": owner.organization}
    AuditEntry.objects.bulk_create(AuditEntry(target=f"thing {number:03}", **values) for number in range(120))
    seen, address = [], AUDIT
    while address:
        html = alice.get(address).content.decode()
        seen += re.findall(r"Thing (\d+) changed", html)
        onward = re.search(r'rel="next" href="([^"]+)"', html)
        address = AUDIT + onward[1] if onward else ""
    assert seen == [f"{number:03}" for number in reversed(range(120))]


@pytest.mark.parametrize("mark", ["x", "-1", "9" * 30, "0"])
def test_a_senseless_place_shows_something(alice, mark):
    text(alice.get(AUDIT, {"after": mark}))


def test_text_of_others_is_never_markup(alice, owner):
    keys.create_key(organization=owner.organization, created_by=owner.user, name="<script>alert(1)</script>")
    assert b"<script>alert" not in alice.get(AUDIT).content
