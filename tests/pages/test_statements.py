"""Statements by the month, and usage as CSV."""

import csv
import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.utils import timezone

from accounts import keys, people
from accounts.models import Membership, Organization, User
from billing import exports, ledger, pricing, retention, rollups, statements
from billing.models import LedgerEntry, Mark, UsageRecord
from billing.money import NANOS

NOVEMBER = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def owner(alice: Client) -> Membership:
    return Membership.objects.select_related("organization", "user").get(user__email="alice@example.com")


@pytest.fixture
def add_record(owner):
    """Write a charged request of a key of its own name."""
    price = pricing.set_price(model="kimi", input_micros=600_000, cached_micros=150_000, output_micros=2_500_000)

    def add(created_at=NOVEMBER, name="nightly", **fields) -> UsageRecord:
        key, _ = keys.create_key(organization=owner.organization, created_by=owner.user, name=name)
        values = {"input_tokens": 1000, "output_tokens": 50, "charge_nanos": 725_000, "model": "kimi"} | fields
        return UsageRecord.objects.create(
            id=uuid.uuid4(),
            organization=owner.organization,
            key=key,
            stream=True,
            status="completed",
            http_status=200,
            ended_by="completed",
            count_source="provider",
            input_estimate=1500,
            output_limit=4096,
            held_nanos=NANOS,
            price=price,
            total_ms=400,
            started_at=created_at,
            created_at=created_at,
            **values,
        )

    return add


@pytest.fixture
def add_entry(owner):
    def add(kind: str, nanos: int, created_at: datetime) -> None:
        LedgerEntry.objects.create(
            organization=owner.organization,
            wallet=ledger.get_wallet(organization=owner.organization),
            kind=kind,
            amount_nanos=nanos,
            reference=uuid.uuid4().hex,
            actor="test",
            created_at=created_at,
        )

    return add


def download(client: Client, path: str) -> list[list[str]]:
    """Fetch a streamed CSV as an ASGI server sends it."""

    async def read():
        browser = AsyncClient()
        browser.cookies = client.cookies
        response = await browser.get(path)
        assert response.status_code == 200, response.status_code
        return b"".join([part async for part in response.streaming_content])

    return list(csv.reader(async_to_sync(read)().decode().splitlines()))


def forget_records() -> None:
    """Let time pass until the records are gone, but not their roll-ups."""
    rollups.roll_up()
    Mark.objects.create(name=retention.USAGE_KEPT_SINCE, at=datetime(2027, 1, 1, tzinfo=UTC))
    UsageRecord.objects.all().delete()


def november(owner) -> statements.Month:
    month = statements.read_month("2026-11", ZoneInfo("UTC"))
    assert month
    return month


def test_a_statement_begins_and_ends_with_a_balance(owner, add_entry):
    add_entry("grant", 5 * NANOS, NOVEMBER - timedelta(days=30))
    add_entry("charge", -2 * NANOS, NOVEMBER)
    add_entry("credit", 10 * NANOS, NOVEMBER)
    add_entry("charge", -NANOS, NOVEMBER + timedelta(days=30))
    statement = statements.make_statement(organization=owner.organization, month=november(owner))
    assert (statement.opening, statement.closing) == (5 * NANOS, 13 * NANOS)
    assert statement.kinds == [("Top-up", 10 * NANOS), ("Charge", -2 * NANOS)]


def test_it_adds_up_by_day_model_and_key(owner, add_record):
    add_record()
    add_record(name="other", model="qwen", charge_nanos=9_000_000)
    add_record(created_at=NOVEMBER + timedelta(days=1))
    add_record(created_at=NOVEMBER + timedelta(days=30))
    statement = statements.make_statement(organization=owner.organization, month=november(owner))
    assert [row["requests"] for row in statement.days] == [2, 1]
    assert [(row["model"], row["charge"]) for row in statement.models] == [("qwen", 9_000_000), ("kimi", 1_450_000)]
    assert {row["name"] for row in statement.keys} == {"nightly", "other"}
    assert statements.add_up(statement.days) == statements.add_up(statement.models)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_month_whose_records_are_gone_is_told_from_its_hours(alice, owner, add_record, zone):
    Organization.objects.update(time_zone=zone)
    organization = Organization.objects.get()
    for hours in (0, 5, 700):
        add_record(created_at=NOVEMBER + timedelta(hours=hours))
    month = statements.read_month("2026-11", ZoneInfo(zone))
    before = statements.make_statement(organization=organization, month=month)
    forget_records()
    after = statements.make_statement(organization=organization, month=month)
    assert (after.days, after.models, after.keys) == (before.days, before.models, before.keys)
    assert (before.is_kept, after.is_kept, after.is_by_hours) == (True, False, False)
    assert "Single requests are kept for 400 days" in alice.get("/console/statements/2026-11/").text


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"])
def test_days_that_begin_within_an_hour_are_exact(owner, add_record, zone):
    Organization.objects.update(time_zone=zone)
    organization, lots = Organization.objects.get(), random.Random(5)
    begin = datetime(2026, 10, 31, tzinfo=UTC)
    records = [add_record(created_at=begin + timedelta(minutes=lots.randrange(32 * 24 * 60))) for _ in range(40)]
    midnights = [datetime(2026, 11, day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in (1, 2, 9, 30)]
    records += [add_record(created_at=at + timedelta(minutes=side)) for at in midnights for side in (-10, 10)]
    days = [record.created_at.astimezone(ZoneInfo(zone)).date() for record in records]
    expected = Counter(day for day in days if day.month == 11)
    month = statements.read_month("2026-11", ZoneInfo(zone))
    for _ in range(2):  # without roll-ups, and with those up to now
        statement = statements.make_statement(organization=organization, month=month)
        assert {row["day"]: row["requests"] for row in statement.days} == dict(expected)
        assert statements.add_up(statement.models)["requests"] == expected.total()
        rollups.roll_up()


def test_where_midnight_divides_an_hour_it_counts_to_one_month_once(alice, owner, add_record):
    Organization.objects.update(time_zone="Asia/Kolkata")
    zone = ZoneInfo("Asia/Kolkata")
    midnight = datetime(2026, 11, 1, tzinfo=zone).astimezone(UTC)
    for minutes in (-40, -20, 20, 40):
        add_record(created_at=midnight + timedelta(minutes=minutes))

    def count_requests() -> list[int]:
        months = [statements.read_month(name, zone) for name in ("2026-10", "2026-11")]
        made = [statements.make_statement(organization=Organization.objects.get(), month=month) for month in months]
        return [statements.add_up(statement.days)["requests"] for statement in made]

    assert count_requests() == [2, 2]
    forget_records()
    assert count_requests() == [3, 1]
    assert "an hour that midnight divides" in alice.get("/console/statements/2026-11/").text


def test_its_days_are_the_organizations_own(owner, add_record):
    Organization.objects.update(time_zone="Pacific/Kiritimati")
    organization = Organization.objects.get()
    add_record(created_at=datetime(2026, 10, 31, 11, tzinfo=UTC))  # there, already November
    month = statements.list_months(organization=organization)
    assert month == []  # no entry yet
    found = statements.read_month("2026-11", ZoneInfo("Pacific/Kiritimati"))
    [day] = statements.make_statement(organization=organization, month=found).days
    assert f"{day['day']}" == "2026-11-01"


def test_months_are_listed_from_the_first_entry_on(alice, owner, add_entry):
    add_entry("grant", NANOS, timezone.now() - timedelta(days=70))
    names = [month.name for month in statements.list_months(organization=owner.organization)]
    assert len(names) in (3, 4)
    page = alice.get("/console/statements/").text
    assert all(f"/console/statements/{name}/" in page for name in names)


def test_the_page_shows_what_the_month_came_to(alice, add_record, add_entry):
    add_record()
    add_entry("charge", -725_000, NOVEMBER)
    page = alice.get("/console/statements/2026-11/").text
    assert "November 2026" in page
    assert "-$0.000725" in page
    assert "nightly" in page


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "x", "9999-12", "2999-01", "0000-01", "2026-١١"])
def test_no_other_month_exists(alice, month):
    assert alice.get(f"/console/statements/{month}/").status_code == 404


def test_usage_is_downloaded_as_it_is_filtered(alice, add_record):
    first, _ = add_record(), add_record(model="qwen")
    rows = download(alice, "/console/usage.csv?model=kimi")
    assert rows[0] == list(exports.COLUMNS)
    assert [row[1] for row in rows[1:]] == [str(first.pk)]
    assert dict(zip(*rows, strict=True))["charge_usd"] == "0.000725"


def test_a_download_goes_on_over_pages(alice, add_record, monkeypatch):
    monkeypatch.setattr(exports, "PAGE", 2)
    ids = {str(add_record().pk) for _ in range(5)}
    assert {row[1] for row in download(alice, "/console/usage.csv")[1:]} == ids


def test_a_wrong_filter_leads_back_to_the_list(alice):
    response = alice.get("/console/usage.csv?from=yesterday")
    assert response.headers["Location"] == "/console/usage/?from=yesterday"


def test_a_statements_requests_are_downloaded(alice, add_record):
    within, _ = add_record(), add_record(created_at=NOVEMBER + timedelta(days=30))
    rows = download(alice, "/console/statements/2026-11.csv")
    assert [row[1] for row in rows[1:]] == [str(within.pk)]


def test_no_name_becomes_a_formula(alice, add_record):
    add_record(name="=HYPERLINK(1)")
    assert download(alice, "/console/usage.csv")[1][3] == "'=HYPERLINK(1)"


def test_statements_are_closed_to_plain_members_and_downloads_show_their_own(owner, add_record):
    carol = User.objects.create_user("carol@example.com")
    Membership.objects.create(user=carol, organization=owner.organization)
    add_record()
    client = Client()
    client.force_login(carol)
    month = "/console/statements/2026-11"
    for path in ("/console/statements/", f"{month}/", f"{month}.csv", f"{month}/entries.csv"):
        assert client.get(path).status_code == 403
    assert len(download(client, "/console/usage.csv")) == 1


def test_a_stranger_sees_nothing_of_it(add_record):
    add_record()
    client = Client()
    client.force_login(people.ensure_member(email="bob@example.com")[0].user)
    assert len(download(client, "/console/statements/2026-11.csv")) == 1
    assert "nightly" not in client.get("/console/statements/2026-11/").text


def test_the_entries_behind_a_statement_add_up_to_it(alice, add_entry, monkeypatch):
    monkeypatch.setattr(exports, "PAGE", 2)
    add_entry("grant", 6 * NANOS, NOVEMBER - timedelta(days=20))
    for kind, nanos in (("credit", 20 * NANOS), ("charge", -225_200), ("refund", 37_800), ("reversal", -5 * NANOS)):
        add_entry(kind, nanos, NOVEMBER)
    rows = download(alice, "/console/statements/2026-11/entries.csv")
    assert rows[0] == list(exports.ENTRY_COLUMNS)
    assert [row[2] for row in rows[1:]] == ["reversal", "refund", "charge", "credit"]
    assert sum(Decimal(row[3]) for row in rows[1:]) == Decimal("14.9998126")


def test_the_playgrounds_key_has_no_beginning_of_a_secret(owner, alice, add_record):
    record = add_record()
    record.key = keys.playground_key(organization=owner.organization, user=owner.user)
    record.save()
    page = alice.get("/console/statements/2026-11/").text
    assert "Playground" in page and "playground…" not in page


def test_the_figures_of_a_statement_add_up_to_the_last_digit(alice, add_entry):
    add_entry("grant", 6 * NANOS, NOVEMBER)
    add_entry("charge", -225_200, NOVEMBER)
    page = alice.get("/console/statements/2026-11/").content.decode()
    assert "-$0.0002252" in page
    assert "$5.9997748" in page
