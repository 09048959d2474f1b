"""The console's first page."""

import re
import uuid

import pytest
from django.utils import timezone

from accounts import keys
from accounts.models import Membership, User
from accounts.people import ensure_member
from billing import ledger
from billing.models import Price, UsageRecord
from billing.money import NANOS


@pytest.fixture
def membership(alice):
    return Membership.objects.select_related("organization", "user").get()


@pytest.fixture
def key(membership):
    return make_key(membership)


def make_key(membership, name="Nightly"):
    return keys.create_key(organization=membership.organization, created_by=membership.user, name=name)[0]


def make_record(key, status="completed"):
    now = timezone.now()
    return UsageRecord.objects.create(
        organization=key.organization,
        key=key,
        model="kimi",
        stream=True,
        status=status,
        http_status=200,
        ended_by="completed",
        count_source="provider",
        input_tokens=1234,
        input_estimate=12,
        output_limit=100,
        held_nanos=10**6,
        charge_nanos=21_000,
        price=Price.objects.filter(model="kimi").first(),
        total_ms=400,
        started_at=now,
        created_at=now,
    )


def read(client):
    response = client.get("/console/")
    assert response.status_code == 200
    return response.content.decode()


def test_a_stranger_signs_in_first(client, db):
    assert client.get("/console/").status_code == 302


def test_a_newcomer_is_led_to_make_a_key(alice, catalogue, membership):
    html = read(alice)
    assert "Your first call" in html and 'href="/console/keys/new/"' in html
    assert "data-poll" not in html


def test_with_a_key_it_shows_the_code_and_waits_for_the_call(alice, catalogue, key):
    html = read(alice)
    assert f'data-poll="/console/keys/{key.pk}/first-call/"' in html
    assert "YOUR_SMARTOKEN_KEY" in html and "Nightly" in html


def test_without_a_served_model_it_says_who_can_help(alice, catalogue, key, settings):
    settings.DEMO = False
    assert "ask the operator" in read(alice)


def test_the_first_record_replaces_the_start(alice, catalogue, key):
    record = make_record(key)
    html = read(alice)
    assert "Your first call" not in html
    assert f"/console/usage/{record.pk}/" in html and "$0.000021" in html


def test_only_the_latest_eight_are_listed(alice, catalogue, key):
    for _ in range(9):
        make_record(key)
    assert len(set(re.findall(r"/console/usage/[0-9a-f-]{36}/", read(alice)))) == 8


def test_the_error_rate_is_of_the_last_day(alice, catalogue, key):
    make_record(key)
    make_record(key, status="failed")
    assert "50.0 %" in read(alice)


def test_it_shows_what_is_available(alice, catalogue, membership):
    ledger.grant(organization=membership.organization, nanos=41 * NANOS + 730_000_000, actor="test")
    assert "$41.73" in read(alice)


def test_an_empty_wallet_is_told(alice, catalogue, membership):
    assert "Nothing is left in the wallet" in read(alice)


def test_a_plain_member_sees_own_requests_and_no_wallet(alice, catalogue, membership, key):
    other = User.objects.create_user("bob@example.com")
    stranger = Membership.objects.create(user=other, organization=membership.organization)
    hidden, shown = make_record(make_key(stranger, "Bob's")), make_record(key)
    Membership.objects.filter(pk=membership.pk).update(role=Membership.Role.MEMBER)
    html = read(alice)
    assert str(shown.pk) in html and str(hidden.pk) not in html
    assert "Available" not in html


def test_records_of_another_organization_stay_hidden(alice, catalogue, membership):
    elsewhere = ensure_member(email=f"{uuid.uuid4().hex}@example.com")[0]
    record = make_record(make_key(elsewhere))
    assert str(record.pk) not in read(alice)


def test_it_shows_the_spend_by_day_and_model(alice, catalogue, key):
    make_record(key)
    response = alice.get("/console/")
    chart = response.context["chart"]
    assert (len(chart.labels), [(one.name, one.total) for one in chart.series]) == (30, [("kimi", "$0.000021")])
    assert 'href="/console/usage/?model=kimi">kimi</a>' in response.content.decode()


def test_a_plain_member_sees_a_chart_of_own_requests(alice, catalogue, membership, key):
    make_record(key)
    other = Membership.objects.create(
        user=User.objects.create_user("bob@example.com"), organization=membership.organization
    )
    Membership.objects.filter(pk=membership.pk).update(role=Membership.Role.MEMBER)
    for number in range(3):
        make_record(make_key(other, f"Bob's {number}"))
    assert alice.get("/console/").context["total"].requests == 1


def test_many_requests_need_no_more_questions(alice, catalogue, key, django_assert_max_num_queries):
    for _ in range(30):
        make_record(key)
    with django_assert_max_num_queries(16):
        read(alice)
