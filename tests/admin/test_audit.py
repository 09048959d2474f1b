"""Every change in the admin is one entry of the audit log."""

import uuid
from datetime import timedelta

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from accounts.admin.people import InvitationAdmin, OrganizationAdmin
from accounts.models import AuditEntry, Invitation, Membership, User
from billing.admin import PriceAdmin
from billing.books.admin import ExchangeRateAdmin
from billing.models import Price
from routing.admin.families import ModelAdmin
from routing.models import Family, Model, Pool, Provider, Upstream, UpstreamHealth
from routing.pools import add_upstream
from smartoken.admin import RowAdmin

CANARY = "sk-canary-7f3a"
NO_ROWS = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
UPSTREAM = {"slug": "mine", "base_url": "https://api.example.com/v1", "dialect": "openai", "credential_env": ""}
MODEL = {"context_length": 2000, "max_output_tokens": 500, "default_output_tokens": 500, "tokens_per_byte_bound": 1}


@pytest.fixture
def told(db):
    """Return action, before and after of the entries since the last call; all must name the administrator."""
    seen = set(AuditEntry.objects.values_list("pk", flat=True))

    def find():
        entries = list(AuditEntry.objects.exclude(pk__in=seen).order_by("pk"))
        seen.update(entry.pk for entry in entries)
        assert {entry.actor for entry in entries} <= {"root@example.com"}
        return [(entry.action, entry.before, entry.after) for entry in entries]

    return find


def url(name, *args):
    return reverse(f"admin:{name}", args=args)


def post(root, address, **given):
    answer = root.post(address, given)
    assert answer.status_code == 302, answer.context["errors"] if answer.context else answer


@pytest.fixture
def upstream(catalogue):
    return add_upstream(family="kimi", base_url="https://a.com", upstream_model="m", credential="first").upstream


def test_an_organizations_settings(root, member, told):
    page = url("accounts_organization_change", member.organization_id)
    post(root, page, name="New", time_zone="UTC", **NO_ROWS)
    assert told() == [("organization.update", {"name": "dev"}, {"name": "New"})]
    assert AuditEntry.objects.latest("pk").organization == member.organization


def test_members_come_change_and_go(root, member, told):
    user = User.objects.create_user("mia@example.com")
    page = url("accounts_organization_change", member.organization_id)
    row = {"user": user.pk, "role": "member", "organization": member.organization_id}
    form = {"name": "dev", "time_zone": "UTC", "memberships-TOTAL_FORMS": 1}
    form |= {f"memberships-0-{name}": value for name, value in row.items()}
    post(root, page, **form, **{"memberships-INITIAL_FORMS": 0})
    assert told() == [("member.create", {}, {"user": "mia@example.com", "role": "member"})]
    Membership.objects.exclude(user=user).delete()
    form |= {"memberships-INITIAL_FORMS": 1, "memberships-0-id": Membership.objects.get().pk}
    post(root, page, **form | {"memberships-0-role": "admin"})
    assert told() == [("member.update", {"role": "member"}, {"role": "admin"})]
    post(root, page, **form | {"memberships-0-DELETE": "on"})
    assert told() == [("member.delete", {"user": "mia@example.com", "role": "admin"}, {})]


def test_a_persons_flags(root, member, told):
    none = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    post(root, url("accounts_user_change", member.user_id), name="", is_staff="on", **none)
    assert told() == [
        ("user.update", {"is_active": True, "is_staff": False}, {"is_active": False, "is_staff": True}),
    ]


def test_an_invitation_and_its_end(root, told):
    post(root, url("accounts_invitation_add"), email="New@b.co", expires_at_0="2030-01-01", expires_at_1="00:00:00")
    given = {"email": "new@b.co", "role": "member", "expires_at": "2030-01-01T00:00:00+00:00"}
    assert told() == [("invitation.create", {}, given)]
    post(root, url("accounts_invitation_delete", Invitation.objects.get().pk), post="yes")
    assert [action for action, _, _ in told()] == ["invitation.delete"]


def test_a_key_is_revoked(root, key, told):
    for _ in range(2):
        post(root, url("accounts_apikey_revoke", key.pk))
    [(action, before, after)] = told()
    assert (action, before, list(after)) == ("key.revoke", {}, ["revoked_at"])


@pytest.mark.parametrize(
    ("name", "action", "nanos"),
    [
        ("grant_credit", "ledger.grant", 10**9),
        ("adjust", "ledger.adjustment", 10**9),
        ("payout", "ledger.payout", -(10**9)),
        ("reverse", "ledger.reversal", -(10**9)),
    ],
)
def test_money_that_moves(root, member, told, name, action, nanos):
    given = {"usd": "1", "reason": "pilot", "reference": str(uuid.uuid4())}
    for _ in range(2):
        post(root, url(f"accounts_organization_{name}", member.organization_id), **given)
    [(told_of, before, after)] = told()
    assert (told_of, before) == (action, {"balance_nanos": 25 * 10**9})
    assert given["reference"] in after.pop("reference")
    assert after == {"amount_nanos": nanos, "balance_nanos": 25 * 10**9 + nanos, "reason": "pilot"}


def test_a_refund(root, record, told):
    given = {"usd": "0.0005", "reason": "pilot", "reference": str(uuid.uuid4())}
    post(root, url("billing_usagerecord_refund", record.pk), **given)
    [(action, _, after)] = told()
    assert (action, after["amount_nanos"]) == ("ledger.refund", 500_000)
    assert after["reference"].startswith(str(record.pk))


def test_codes_are_told_without_themselves(root, told):
    made = root.post(url("billing_redeemcode_make"), {"usd": "5", "count": "2", "batch": "fair"}).context["codes"]
    assert told() == [("code.create", {}, {"count": 2, "amount_nanos": 5 * 10**9, "batch": "fair"})]
    assert made[0][5:] not in str(list(AuditEntry.objects.values()))


def test_a_price_is_told_beside_the_one_it_follows(root, catalogue, told):
    old = Price.objects.get(model="kimi")
    post(root, url("billing_price_add"), model="kimi", input_usd="0.7", cached_usd="0.6", output_usd="2.5")
    [(action, before, after)] = told()
    assert action == "price.create"
    assert before == {"input_micros": old.input_micros, "starts_at": old.starts_at.isoformat()}
    assert after["input_micros"] == 700_000


def test_a_rate_is_told_beside_the_one_it_follows(root, told):
    for usd in ("0.138", "0.14"):
        post(root, url("billing_exchangerate_add"), currency="cny", usd=usd)
    (first, _, made), (second, before, after) = told()
    assert first == second == "rate.create"
    assert (made["currency"], made["usd"]) == ("CNY", "0.138")
    assert (before["usd"], after["usd"]) == ("0.138", "0.14")


def test_a_provider_comes_changes_and_goes(root, told):
    post(root, url("routing_provider_add"), slug="acme", name="Acme", country="")
    page = url("routing_provider_change", Provider.objects.get().pk)
    post(root, page, name="Acme", country="Chile")
    post(root, page, name="Acme", country="Chile")
    post(root, url("routing_provider_delete", Provider.objects.get().pk), post="yes")
    whole = {"slug": "acme", "name": "Acme"}
    assert told() == [
        ("provider.create", {}, whole),
        ("provider.update", {"country": ""}, {"country": "Chile"}),
        ("provider.delete", whole | {"country": "Chile"}, {}),
    ]


@pytest.mark.parametrize(
    ("given", "says"), [({"new_credential": CANARY}, "set"), ({"forget_credential": "on"}, "forgotten")]
)
def test_a_credential_is_set_and_forgotten(root, upstream, told, given, says):
    fields = UPSTREAM | {"provider": upstream.provider_id, "base_url": upstream.base_url}
    post(root, url("routing_upstream_change", upstream.pk), **fields, **given)
    assert told() == [("upstream.update", {}, {"credential": says})]
    assert CANARY not in str(list(AuditEntry.objects.values()))


def test_an_upstream_comes_and_goes_with_its_routes(root, upstream, told):
    post(root, url("routing_upstream_add"), **UPSTREAM, provider=upstream.provider_id, new_credential=CANARY)
    post(root, url("routing_upstream_delete", upstream.pk), post="yes")
    made, *gone = told()
    assert (made[0], made[2]["credential"], made[2]["slug"]) == ("upstream.create", "set", "mine")
    assert sorted(action for action, _, _ in gone) == ["route.delete", "upstream.delete"]
    assert CANARY not in str(list(AuditEntry.objects.values()))
    assert bytes(Upstream.objects.get().credential).decode() not in str(list(AuditEntry.objects.values()))


def test_an_upstream_that_is_put_back(root, upstream, told):
    UpstreamHealth.objects.create(upstream=upstream, failures=3, rests_until=timezone.now() + timedelta(hours=1))
    pool = Pool.objects.get(model__slug="kimi")
    post(root, url("routing_pool_put_back", pool.pk), upstream=upstream.pk)
    assert told() == [("upstream.put_back", {}, {})]


def test_routes_come_change_and_go(root, upstream, told):
    pool = Pool.objects.get(model__slug="qwen")
    page = url("routing_pool_change", pool.pk)
    row = {"upstream": upstream.pk, "upstream_model": "m", "priority": 1, "weight": 100, "enabled": "on"}
    row = {f"routes-0-{name}": value for name, value in (row | {"pool": pool.pk}).items()} | {"routes-TOTAL_FORMS": 1}
    post(root, page, **row, **{"routes-INITIAL_FORMS": 0, "routes-0-id": ""})
    made = row | {"routes-INITIAL_FORMS": 1, "routes-0-id": pool.routes.get().pk}
    post(root, page, **made | {"routes-0-weight": 7})
    post(root, page, **made | {"routes-0-weight": 7})
    post(root, page, **made | {"routes-0-DELETE": "on"})
    (created, _, values), *others = told()
    assert (created, values["pool"], values["upstream"], values["weight"]) == (
        "route.create",
        "qwen",
        upstream.slug,
        100,
    )
    assert others[0] == ("route.update", {"weight": 100}, {"weight": 7})
    assert [action for action, _, _ in others[1:]] == ["route.delete"]


def test_a_model_comes_with_its_pool_and_aliases_and_goes_with_them(root, catalogue, told):
    family = Family.objects.first().pk
    alias = {"aliases-TOTAL_FORMS": 1, "aliases-INITIAL_FORMS": 0, "aliases-0-name": "swift"}
    post(root, url("routing_model_add"), public_id="fast", family=family, **MODEL, **alias)
    model = Model.objects.get(slug="fast")
    given = MODEL | {"family": family, "context_length": 3000, "aliases-TOTAL_FORMS": 0, "aliases-INITIAL_FORMS": 0}
    post(root, url("routing_model_change", model.pk), **given)
    post(root, url("routing_model_delete", model.pk), post="yes")
    told_of = told()
    assert [action for action, _, _ in told_of[:4]] == ["model.create", "pool.create", "alias.create", "model.update"]
    assert told_of[3][1:] == ({"context_length": 2000}, {"context_length": 3000})
    assert sorted(action for action, _, _ in told_of[4:]) == ["alias.delete", "model.delete", "pool.delete"]


@pytest.mark.parametrize("page", admin.site._registry.values(), ids=lambda page: page.opts.label)
def test_no_page_writes_past_the_log(page):
    assert isinstance(page, RowAdmin)
    for name in ("delete_model", "save_related"):
        assert getattr(type(page), name) is getattr(RowAdmin, name)
    # These call it, or domain functions that write the entry.
    is_known = type(page) in (PriceAdmin, ExchangeRateAdmin, InvitationAdmin, ModelAdmin)
    assert is_known or type(page).save_model is RowAdmin.save_model
    assert type(page) is OrganizationAdmin or type(page).save_formset is RowAdmin.save_formset


def test_a_failed_change_leaves_no_entry(root, upstream, told):
    assert root.post(url("routing_upstream_add"), UPSTREAM | {"provider": 0}).status_code == 200
    assert told() == []


@pytest.mark.parametrize(
    ("query", "found"),
    [({"q": "DEV@"}, True), ({"q": "nobody"}, False), ({"about": "member"}, True), ({"about": "price"}, False)],
)
def test_entries_are_found_by_who_and_what(root, member, query, found):
    entry = AuditEntry.objects.get(action="member.create")
    page = root.get(url("accounts_auditentry_changelist"), query).content.decode()
    assert (url("accounts_auditentry_change", entry.pk) in page) == found


def test_entries_are_found_by_their_organization(root, member):
    page = root.get(url("accounts_auditentry_changelist"), {"q": str(member.organization_id)}).content.decode()
    assert "organization.create" in page


def test_an_entry_is_only_to_be_read(root, member):
    entry = AuditEntry.objects.get(action="organization.create")
    page = root.get(url("accounts_auditentry_change", entry.pk)).content.decode()
    assert "time zone" in page
    assert root.post(url("accounts_auditentry_change", entry.pk), {"actor": "x"}).status_code == 403
    assert root.post(url("accounts_auditentry_delete", entry.pk), {"post": "yes"}).status_code == 302
    assert AuditEntry.objects.get(pk=entry.pk).actor == "dev@example.com"


def test_a_rows_history_is_the_audit_log(root, member, catalogue):
    page = root.get(url("accounts_organization_history", member.organization_id), follow=True)
    assert page.redirect_chain == [(f"{url('accounts_auditentry_changelist')}?q={member.organization_id}", 302)]
    assert "ledger.grant" in page.content.decode()
    assert root.get(url("routing_family_history", Family.objects.first().pk)).status_code == 302
    assert root.get(url("accounts_organization_history", 0), follow=True).status_code in (200, 404)
