"""The usage page: what its filters find, as a chart, a list, groups and CSV, for each who may see it."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import keys
from accounts.models import Membership, User
from accounts.people import ensure_member
from billing import forms, usage
from billing.models import UsageRecord
from billing.money import NANOS
from tests.pages.test_console_pages import owner, price, record, stranger  # noqa: F401


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def carol(owner):  # noqa: F811
    """A plain member of the organization, signed in."""
    user = User.objects.create_user("carol@example.com")
    Membership.objects.create(user=user, organization=owner.organization)
    client = Client()
    client.force_login(user)
    return client


def csv_of(client: Client, query: str = "") -> str:
    from asgiref.sync import async_to_sync

    response = client.get(f"/console/usage.csv{query}")

    async def read() -> bytes:
        return b"".join([part async for part in response.streaming_content])

    return async_to_sync(read)().decode()


def test_a_period_is_the_organizations_days(alice, record):  # noqa: F811
    today, earlier = record(), record(created_at=timezone.now() - timedelta(days=9))
    page = text(alice.get("/console/usage/?period=7d"))
    assert str(today.pk) in page and str(earlier.pk) not in page
    page = text(alice.get("/console/usage/?period=30d"))
    assert str(today.pk) in page and str(earlier.pk) in page


def test_yesterdays_failures_are_found(alice, record):  # noqa: F811
    yesterday = timezone.now() - timedelta(days=1)
    failed = record(status="failed", created_at=yesterday)
    others = [record(status="failed"), record(created_at=yesterday)]
    page = text(alice.get("/console/usage/?period=yesterday&status=failed"))
    assert str(failed.pk) in page
    assert not any(str(other.pk) in page for other in others)


def test_dates_of_a_period_that_was_not_chosen_are_ignored(alice, record):  # noqa: F811
    assert str(record().pk) in text(alice.get("/console/usage/?period=&from=2020-01-01&to=2020-01-02"))


def test_the_dearest_come_first_page_by_page(owner, record):  # noqa: F811
    rows = {record(charge_nanos=nanos).pk: nanos for nanos in (5, 70, 70, 3, 900, 0, 70)}
    seen, after = [], ""
    while True:
        page = usage.list_records(membership=owner, after=after, size=2, order="dearest")
        seen += [row.pk for row in page.rows]
        if not (after := page.next):
            break
    assert [rows[pk] for pk in seen] == [900, 70, 70, 70, 5, 3, 0]
    assert set(seen) == set(rows)


@pytest.mark.parametrize("after", ["9" * 40 + "." + "0" * 32, "x." + "0" * 32, "7", "."])
def test_a_mark_that_names_no_place_shows_the_first_page(alice, record, after):  # noqa: F811
    assert str(record().pk) in text(alice.get("/console/usage/", {"order": "dearest", "after": after}))


def test_requests_of_a_member_are_found(alice, owner, carol, record):  # noqa: F811
    user = User.objects.get(email="carol@example.com")
    own, _ = keys.create_key(organization=owner.organization, created_by=user, name="carols")
    shared = keys.playground_key(organization=owner.organization, user=owner.user)
    hers = [record(key=own), record(key=shared, user=user)]
    others = [record(), record(key=shared, user=owner.user)]
    page = text(alice.get(f"/console/usage/?member={user.pk}"))
    assert all(str(row.pk) in page for row in hers)
    assert not any(str(row.pk) in page for row in others)


@pytest.mark.parametrize(
    ("group", "name", "leads_to"),
    [
        ("model", "kimi", "model=kimi"),
        ("key", "nightly", "key={key}"),
        ("member", "alice@example.com", "member={user}"),
        ("status", "failed", "status=failed"),
        ("day", "2 Mar", "period=days&amp;from=2026-03-02&amp;to=2026-03-02"),
    ],
)
def test_groups_lead_to_their_requests(alice, owner, record, group, name, leads_to):  # noqa: F811
    row = record(status="failed", created_at=timezone.now().replace(year=2026, month=3, day=2), charge_nanos=5 * NANOS)
    page = text(alice.get(f"/console/usage/?group={group}&from=2026-03-01&to=2026-03-05"))
    line = re.search(rf"<tr>\s*<th[^>]*><a href=\"([^\"]*)\">{name}</a></th>(.*?)</tr>", page, re.DOTALL)
    assert line and leads_to.format(key=row.key_id, user=owner.user_id) in line[1] and "group" not in line[1]
    assert "$5.00" in line[2]
    assert str(row.pk) in text(alice.get(line[1].replace("&amp;", "&")))


def test_the_chart_holds_what_is_filtered(alice, record):  # noqa: F811
    record(model="kimi", charge_nanos=NANOS)
    record(model="deepseek", charge_nanos=3 * NANOS)
    series = alice.get("/console/usage/").context["chart"].series
    assert [(one.name, one.total) for one in series] == [("deepseek", "$3.00"), ("kimi", "$1.00")]
    only = alice.get("/console/usage/?model=kimi").context["chart"]
    assert [one.name for one in only.series] == ["kimi"]
    assert only.rows == [(only.labels[-1], ["$1.00"], "$1.00")]


def test_more_than_five_models_share_a_colour(alice, record):  # noqa: F811
    for number in range(8):
        record(model=f"model-{number}", charge_nanos=(number + 1) * NANOS)
    series = alice.get("/console/usage/").context["chart"].series
    assert [one.name for one in series] == ["model-7", "model-6", "model-5", "model-4", "model-3", "other"]
    assert series[-1].total == "$6.00"


def test_a_filter_offers_so_many_keys_and_takes_any(alice, owner, record, monkeypatch):  # noqa: F811
    monkeypatch.setattr(forms, "MOST_CHOICES", 2)
    made = [
        keys.create_key(organization=owner.organization, created_by=owner.user, name=f"key {number}")[0]
        for number in range(4)
    ]
    page = alice.get(f"/console/usage/?key={made[3].pk}")
    offered = re.findall(r"<option[^>]*>(key \d)", text(page))
    assert offered == ["key 0", "key 1", "key 3"]
    assert f'<option value="{made[3].pk}" selected' in text(page)
    assert not page.context["form"].errors


def test_htmx_gets_the_results_alone(alice, record):  # noqa: F811
    row = record()
    part = alice.get("/console/usage/", headers={"HX-Request": "true"})
    assert str(row.pk) in text(part)
    assert "<html" not in text(part)
    assert "HX-Request" in part.headers["Vary"]


def test_htmx_hears_what_is_wrong_with_a_filter(alice):
    part = text(alice.get("/console/usage/?status=happy", headers={"HX-Request": "true"}))
    assert 'role="alert">Status: Select a valid choice' in part


@pytest.mark.parametrize("query", ["", "?group=key", "?group=day", "?group=status", "?group=model&period=7d"])
@pytest.mark.parametrize("part", [{}, {"HX-Request": "true"}])
def test_a_plain_member_sees_own_usage_in_every_form(owner, carol, record, query, part):  # noqa: F811
    record(model="secret-model")
    page = text(carol.get(f"/console/usage/{query}", headers=part))
    assert "secret-model" not in page.partition('id="results"')[2]
    assert "nightly" not in page
    assert "secret-model" not in csv_of(carol, query)


@pytest.mark.parametrize("query", ["", "?group=key", "?group=member"])
def test_a_stranger_sees_nothing_of_another_organization(stranger, record, query):  # noqa: F811
    row = record()
    for found in (text(stranger.get(f"/console/usage/{query}")), csv_of(stranger, query)):
        assert str(row.pk) not in found and "nightly" not in found and "alice@" not in found


def test_a_member_of_another_organization_is_no_choice(alice, record):  # noqa: F811
    other = ensure_member(email="mallory@example.com")[0].user
    page = text(alice.get(f"/console/usage/?member={other.pk}"))
    assert "Select a valid choice" in page
    assert "mallory" not in page


def test_the_csv_is_what_is_filtered(alice, record):  # noqa: F811
    failed, fine = record(status="failed"), record()
    found = csv_of(alice, "?status=failed&period=today")
    assert str(failed.pk) in found and str(fine.pk) not in found


@pytest.mark.parametrize("query", ["", "?status=failed", "?group=key&period=30d", "?order=dearest"])
def test_a_page_asks_few_questions(alice, record, django_assert_max_num_queries, query):  # noqa: F811
    for number in range(60):
        record(status="failed", created_at=timezone.now() - timedelta(hours=number))
    with django_assert_max_num_queries(20):
        alice.get(f"/console/usage/{query}")
    assert UsageRecord.objects.count() == 60


def test_where_nothing_was_charged_the_chart_counts(alice, record):  # noqa: F811
    record(charge_nanos=0)
    chart = alice.get("/console/usage/").context["chart"]
    assert (chart.measure, [one.total for one in chart.series]) == ("requests", ["1"])


def test_a_plain_member_opens_own_requests_alone(owner, carol, record):  # noqa: F811
    user = User.objects.get(email="carol@example.com")
    own, _ = keys.create_key(organization=owner.organization, created_by=user, name="carols")
    others, hers = record(), record(key=own)
    assert carol.get(f"/console/usage/{others.pk}/").status_code == 404
    assert carol.get(f"/console/usage/{hers.pk}/").status_code == 200
    assert "There is no request" in text(carol.get("/console/usage/", {"id": str(others.pk)}))


def test_an_admin_sees_everybodys_requests(owner, record):  # noqa: F811
    dora = User.objects.create_user("dora@example.com")
    Membership.objects.create(user=dora, organization=owner.organization, role=Membership.Role.ADMIN)
    client = Client()
    client.force_login(dora)
    row = record()
    assert str(row.pk) in text(client.get("/console/usage/"))
    assert str(row.pk) in csv_of(client)
    assert client.get(f"/console/usage/{row.pk}/").status_code == 200
