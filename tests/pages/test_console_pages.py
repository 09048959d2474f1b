import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from accounts import keys, people
from accounts.models import APIKey, Membership, User
from billing import budgets, ledger, pricing, usage
from billing.models import Alert, Limit, Price, RefusalCount, UsageRecord
from billing.money import NANOS

PAGES = ["", "keys/", "keys/new/", "usage/", "wallet/", "settings/"]
ATTEMPTS = [
    {"route": "acme · acme-eu · k2", "outcome": "skipped", "reason": "cooldown"},
    {
        "route": "acme · acme-us · k2",
        "outcome": "failed",
        "reason": "rate_limited",
        "status": 429,
        "ms": 12,
        "provider_request_id": "req-7",
        "provider_message": "account 4711 is out of credit",
    },
    {"route": "beta · beta · k2", "outcome": "answered", "reason": "", "status": 200, "ms": 345},
]


@pytest.fixture
def owner(alice: Client) -> Membership:
    return Membership.objects.select_related("organization").get(user__email="alice@example.com")


@pytest.fixture
def stranger(db: None) -> Client:
    client = Client()
    client.force_login(people.ensure_member(email="bob@example.com")[0].user)
    return client


@pytest.fixture
def price(db: None) -> Price:
    return pricing.set_price(model="kimi", input_micros=600_000, cached_micros=150_000, output_micros=2_500_000)


@pytest.fixture
def record(owner: Membership, price: Price):
    """Write the record of one request of a key."""
    key, _ = keys.create_key(organization=owner.organization, created_by=owner.user, name="nightly")

    def write(**fields) -> UsageRecord:
        values = {
            "organization": owner.organization,
            "key": key,
            "model": "kimi",
            "provider": "beta",
            "stream": True,
            "status": "completed",
            "http_status": 200,
            "ended_by": "completed",
            "count_source": "provider",
            "input_tokens": 1000,
            "cached_tokens": 200,
            "output_tokens": 50,
            "input_estimate": 1500,
            "output_limit": 4096,
            "held_nanos": 2 * NANOS,
            "charge_nanos": 635_000,
            "price": price,
            "attempts": ATTEMPTS,
            "first_token_ms": 120,
            "total_ms": 400,
            "started_at": timezone.now(),
            "created_at": timezone.now(),
        }
        return UsageRecord.objects.create(**(values | fields))

    return write


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("page", [*PAGES, "keys/1/", "keys/1/revoke/", f"usage/{uuid.UUID(int=7)}/"])
def test_visitors_are_sent_to_sign_in(client, page):
    response = client.get(f"/console/{page}")
    assert response.headers["Location"].startswith(f"/accounts/login/?next=/console/{page}")


@pytest.mark.parametrize("page", PAGES)
def test_a_person_without_an_organization_is_told_so(db, page):
    client = Client()
    client.force_login(User.objects.create_user("eve@example.com"))
    response = client.get(f"/console/{page}")
    assert response.status_code == 403
    assert "You belong to no organization" in response.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_pages_of_money_are_not_kept_by_browsers(alice, page):
    assert "no-store" in alice.get(f"/console/{page}").headers["Cache-Control"]


def test_a_stranger_never_sees_a_record(stranger, record):
    row = record()
    assert stranger.get(f"/console/usage/{row.pk}/").status_code == 404
    assert str(row.pk) not in text(stranger.get("/console/usage/"))
    assert "There is no request" in text(stranger.get(f"/console/usage/?id={row.pk}"))
    assert str(row.pk) not in text(stranger.get(f"/console/usage/?key={row.key_id}"))


def test_a_plain_member_sees_the_requests_of_their_own_keys(owner, record):
    carol = User.objects.create_user("carol@example.com")
    Membership.objects.create(user=carol, organization=owner.organization)
    own, _ = keys.create_key(organization=owner.organization, created_by=carol, name="carols")
    hers, others = record(key=own), record()
    client = Client()
    client.force_login(carol)
    page = text(client.get("/console/usage/"))
    assert str(hers.pk) in page
    assert str(others.pk) not in page


def test_a_plain_member_sees_what_they_asked_in_the_playground(owner, record):
    shared = keys.playground_key(organization=owner.organization, user=owner.user)
    carol = User.objects.create_user("carol@example.com")
    Membership.objects.create(user=carol, organization=owner.organization)
    hers, others = record(key=shared, user=carol), record(key=shared, user=owner.user)
    client = Client()
    client.force_login(carol)
    page = text(client.get("/console/usage/"))
    assert str(hers.pk) in page
    assert str(others.pk) not in page


def test_the_playgrounds_key_is_nobodys_own(owner):
    carol = User.objects.create_user("carol@example.com")
    membership = Membership.objects.create(user=carol, organization=owner.organization)
    keys.playground_key(organization=owner.organization, user=carol)
    assert not APIKey.objects.visible_to(membership).exists()


def test_a_request_is_found_by_its_id(alice, record):
    row = record()
    for asked in (str(row.pk), f"chatcmpl-{row.pk.hex}", f" {str(row.pk).upper()} "):
        assert alice.get("/console/usage/", {"id": asked}).headers["Location"] == f"/console/usage/{row.pk}/"
    assert "There is no request nonsense" in text(alice.get("/console/usage/?id=nonsense"))


def test_a_request_says_who_was_asked_and_why(alice, record):
    page = text(alice.get(f"/console/usage/{record().pk}/"))
    assert page.index("acme · acme-eu · k2") < page.index("acme · acme-us · k2") < page.index("beta · beta · k2")
    assert "Resting after failures" in page
    assert "It takes no more requests at the moment" in page
    assert "req-7" in page


def test_an_sdks_own_retry_is_named(alice, record):
    page = text(alice.get(f"/console/usage/{record(sdk_retry=2).pk}/"))
    assert "The SDK's automatic retry</dt><dd>number 2</dd>" in page
    assert "automatic retry" not in text(alice.get(f"/console/usage/{record().pk}/"))


def test_an_answer_that_was_finished_without_its_client_says_why(alice, record):
    page = text(alice.get(f"/console/usage/{record(ended_by='client').pk}/"))
    assert "The client left; its Idempotency-Key let the answer be finished, and all of it is charged." in page


def test_what_a_request_cost_the_site_is_for_administrators(alice, record):
    row = record(cost=Decimal("0.731"), cost_currency="CNY", cost_nanos=987_654_321)
    for page in (f"/console/usage/{row.pk}/", "/console/usage/", "/console/"):
        assert not any(told in text(alice.get(page)) for told in ("0.731", "CNY", "0.987", "0.99"))


def test_what_a_provider_said_is_for_administrators(alice, record):
    assert "account 4711" not in text(alice.get(f"/console/usage/{record().pk}/"))


def test_a_price_is_written_out_as_a_sum(alice, record):
    page = text(alice.get(f"/console/usage/{record().pk}/"))
    for part in ("800 × $0.60 / 1M", "$0.00048", "200 × $0.15 / 1M", "$0.00003", "50 × $2.50 / 1M", "$0.000125"):
        assert part in page
    assert "$0.000635" in page


def test_an_answer_that_ended_early_names_its_rule(alice, record):
    row = record(status="aborted", ended_by="client", count_source="estimate", http_status=499)
    assert "Charged is what had been delivered by then" in text(alice.get(f"/console/usage/{row.pk}/"))
    free = record(status="failed", ended_by="upstream", error_code="upstream_error", charge_nanos=0, output_tokens=0)
    assert "The provider failed. Nothing is charged." in text(alice.get(f"/console/usage/{free.pk}/"))


def test_times_are_those_of_the_organization(alice, owner, record):
    owner.organization.time_zone = "Asia/Shanghai"
    owner.organization.save()
    moment = timezone.now().replace(year=2026, month=3, day=1, hour=20, minute=5, second=9, microsecond=0)
    assert "2 Mar, 04:05:09" in text(alice.get(f"/console/usage/?status={record(created_at=moment).status}"))


def test_filters_are_in_the_address(alice, record):
    fine, failed = record(), record(status="failed", error_code="upstream_error")
    page = text(alice.get("/console/usage/?status=failed"))
    assert str(failed.pk) in page
    assert str(fine.pk) not in page
    assert '<option value="failed" selected>' in page


def test_days_of_a_filter_are_those_of_the_organization(alice, owner, record):
    owner.organization.time_zone = "Asia/Shanghai"
    owner.organization.save()
    late = record(created_at=timezone.now().replace(year=2026, month=3, day=1, hour=20))
    assert str(late.pk) in text(alice.get("/console/usage/?from=2026-03-02&to=2026-03-02"))
    assert str(late.pk) not in text(alice.get("/console/usage/?from=2026-03-01&to=2026-03-01"))


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("status=happy", "Select a valid choice"),
        ("from=yesterday", "Enter a valid date"),
        ("from=2026-03-02&to=2026-03-01", "This day lies before the first one."),
        ("key=999", "Select a valid choice"),
        ("model=<b>", "No request matches"),
        ("after=nonsense", "nightly"),
        ("after=99999999999999999999999.00000000000000000000000000000000", "nightly"),
        ("from=0001-01-01&to=9999-12-31", "Write a year between 2000 and 2999."),
    ],
)
def test_nonsense_in_the_address_is_named(alice, record, query, problem):
    record()
    page = text(alice.get(f"/console/usage/?{query}"))
    assert problem in page
    assert "<b>" not in page.partition("<main")[2].partition("<table")[0]


def test_pages_follow_each_other_without_gap_or_repeat(owner, record):
    moment = timezone.now()
    rows = {record(created_at=moment - timedelta(seconds=number // 2)).pk for number in range(7)}
    seen, after = [], ""
    while True:
        page = usage.list_records(membership=owner, after=after, size=3)
        seen += [row.pk for row in page.rows]
        if not (after := page.next):
            break
    assert len(seen) == 7
    assert set(seen) == rows


def test_refused_calls_are_counted_by_code(alice, owner, record):
    row = record()
    minute = timezone.now().replace(second=0, microsecond=0)
    for code, requests in (("budget_exceeded", 3), ("rate_limit_exceeded", 40)):
        RefusalCount.objects.create(
            organization=owner.organization, key=row.key, minute=minute, code=code, requests=requests
        )
    page = text(alice.get("/console/usage/"))
    assert page.index("rate_limit_exceeded") < page.index("budget_exceeded")


def test_the_page_of_a_new_key_hears_of_its_first_call(alice, owner, record):
    row = record(total_ms=412, charge_nanos=21_000, input_tokens=12, output_tokens=200)
    record()
    found = alice.get(f"/console/keys/{row.key_id}/first-call/").json()
    assert found == {"received": "0.4 s, 212 tokens, $0.000021", "url": f"/console/usage/{row.pk}/"}


def test_the_page_of_a_new_key_hears_of_a_refusal(alice, owner):
    key, _ = keys.create_key(organization=owner.organization, created_by=owner.user, name="nightly")
    RefusalCount.objects.create(
        organization=owner.organization, key=key, minute=timezone.now(), code="insufficient_quota", requests=1
    )
    assert alice.get(f"/console/keys/{key.pk}/first-call/").json() == {"refused": "insufficient_quota"}


def test_a_keys_budgets_show_what_is_spent_held_and_left(alice, owner):
    key, _ = keys.create_key(
        organization=owner.organization, created_by=owner.user, name="nightly", daily_budget_nanos=4 * NANOS
    )
    budgets.open_windows([key.pk])
    Limit.objects.filter(key=key, kind="key_day").update(spent_nanos=NANOS, held_nanos=2 * NANOS)
    assert "spent $1.00, held $2.00, left $1.00 of $4.00" in text(alice.get("/console/keys/"))


def test_the_wallet_shows_its_entries_and_how_to_get_more(alice, owner):
    ledger.grant(organization=owner.organization, nanos=5 * NANOS, actor="operator", reason="Welcome")
    page = text(alice.get("/console/wallet/"))
    assert "+$5.00" in page
    assert "Welcome" in page
    assert "No way to pay is set up here: ask the operator for credit." in page


def test_the_wallets_pages_follow_each_other(owner):
    for number in range(1, 6):
        ledger.grant(organization=owner.organization, nanos=number, actor="operator")
    first = usage.list_entries(membership=owner, size=3)
    rest = usage.list_entries(membership=owner, size=3, after=first.next)
    assert [entry.amount_nanos for entry in [*first.rows, *rest.rows]] == [5, 4, 3, 2, 1]
    assert rest.next == ""


def test_the_wallet_is_closed_to_plain_members(owner):
    carol = User.objects.create_user("carol@example.com")
    Membership.objects.create(user=carol, organization=owner.organization)
    client = Client()
    client.force_login(carol)
    response = client.get("/console/wallet/")
    assert response.status_code == 403
    assert "shown to the owners of" in response.content.decode()


def test_the_owner_names_the_organization_and_its_zone(alice, owner):
    form = {"form": "organization", "organization-name": "Lab", "organization-time_zone": "Europe/Berlin"}
    alice.post("/console/settings/", form)
    owner.organization.refresh_from_db()
    assert (owner.organization.name, owner.organization.time_zone) == ("Lab", "Europe/Berlin")


def test_the_owner_sets_what_is_mailed(alice, owner):
    form = {"form": "organization", "organization-name": "Lab", "organization-time_zone": "UTC"}
    alice.post("/console/settings/", form | {"organization-low_balance_nanos": "2.50"})
    owner.organization.refresh_from_db()
    assert (owner.organization.budget_alerts, owner.organization.low_balance_nanos) == (False, 2_500_000_000)
    alice.post("/console/settings/", form | {"organization-budget_alerts": "on"})
    owner.organization.refresh_from_db()
    assert (owner.organization.budget_alerts, owner.organization.low_balance_nanos) == (True, None)


def test_a_low_balance_that_is_no_amount_is_named(alice, owner):
    form = {"form": "organization", "organization-name": "Lab", "organization-time_zone": "UTC"}
    assert "is not an amount" in text(alice.post("/console/settings/", form | {"organization-low_balance_nanos": "x"}))


@pytest.mark.parametrize(
    ("name", "zone", "problem"),
    [("", "UTC", "This field is required."), ("Lab", "Mars/Olympus", "Select a valid choice")],
)
def test_bad_settings_are_named_and_nothing_changes(alice, owner, name, zone, problem):
    form = {"form": "organization", "organization-name": name, "organization-time_zone": zone}
    page = text(alice.post("/console/settings/", form))
    assert problem in page
    assert "owner of alice" in page
    owner.organization.refresh_from_db()
    assert (owner.organization.name, owner.organization.time_zone) == ("alice", "UTC")


def test_others_than_the_owner_change_only_themselves(owner):
    dora = User.objects.create_user("dora@example.com")
    Membership.objects.create(user=dora, organization=owner.organization, role="admin")
    client = Client()
    client.force_login(dora)
    form = {"form": "organization", "organization-name": "Mine", "organization-time_zone": "UTC"}
    assert client.post("/console/settings/", form).status_code == 403
    client.post("/console/settings/", {"form": "profile", "profile-name": "Dora"})
    dora.refresh_from_db()
    owner.organization.refresh_from_db()
    assert (dora.name, owner.organization.name) == ("Dora", "alice")


def test_a_refund_is_shown_in_the_wallet_and_with_its_request(alice, owner, record):
    row = record()
    ledger.refund(record=row, nanos=635_000, actor="root", reason="bad answer", reference="a")
    wallet = text(alice.get("/console/wallet/"))
    assert "refund of a charge" in wallet
    assert f'href="/console/usage/{row.pk}/"' in wallet
    page = text(alice.get(f"/console/usage/{row.pk}/"))
    assert "Refunded" in page
    assert "−$0.000635" in page


@pytest.fixture
def key(owner: Membership) -> APIKey:
    made, _ = keys.create_key(organization=owner.organization, created_by=owner.user, name="Nightly")
    return made


def raise_alert(key: APIKey, kind: str) -> None:
    """Let this alert be open of the key's day, or of its organization's wallet."""
    limits = budgets.open_windows([key.pk])[key.pk]
    Limit.objects.filter(pk=limits.day_id).update(limit_nanos=NANOS, spent_nanos=NANOS)
    Alert.objects.create(
        organization=key.organization,
        limit_id=limits.wallet_id if kind == "low_balance" else limits.day_id,
        kind=kind,
        limit_nanos=NANOS,
        spent_nanos=NANOS,
        raised_at=timezone.now(),
    )


@pytest.mark.parametrize("address", ["", "keys/"])
def test_a_spent_budget_has_a_notice(alice, catalogue, key, address):
    assert "is spent ($1.00 of $1.00)" not in text(alice.get(f"/console/{address}"))
    raise_alert(key, "budget_100")
    page = text(alice.get(f"/console/{address}"))
    assert "is spent ($1.00 of $1.00)" in page and f'href="/console/keys/{key.pk}/">Change the budget' in page


@pytest.mark.parametrize("address", ["", "wallet/"])
def test_a_low_balance_has_a_notice(alice, catalogue, key, address):
    ledger.grant(organization=key.organization, nanos=NANOS // 2, actor="test")
    raise_alert(key, "low_balance")
    assert "Less than $1.00 is available: $0.5000" in text(alice.get(f"/console/{address}"))


def test_many_notices_are_counted_and_the_wallets_comes_first(alice, owner, catalogue):
    ledger.grant(organization=owner.organization, nanos=NANOS // 2, actor="test")
    made = [
        keys.create_key(organization=owner.organization, created_by=owner.user, name=f"key {number}")[0]
        for number in range(7)
    ]
    raise_alert(made[0], "low_balance")
    for key in made:
        raise_alert(key, "budget_100")
    page = text(alice.get("/console/"))
    assert page.index("Less than $1.00 is available") < page.index("of “key 6” is spent")
    assert page.count("Change the budget</a>") == 4
    assert "3 more budgets are spent or nearly so" in page
