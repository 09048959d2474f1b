"""The admin's first page: today's traffic, and what waits for a person."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.models import Limit, PaymentEvent, Proof, UsageRecord
from billing.rollups import roll_up
from routing.models import UpstreamHealth
from routing.pools import add_upstream


@pytest.fixture
def upstream(catalogue):
    return add_upstream(family="kimi", base_url="https://a.com", upstream_model="m", provider="moonshot").upstream


def read(client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def test_a_fresh_site_says_that_nothing_waits(root, catalogue):
    page = read(root)
    assert "None: the books agree" in page and "None: every enabled route may be tried." in page
    assert "No request yet today." in page and "None has less than its owner wants" in page


@pytest.mark.parametrize("is_summed", [True, False])
def test_todays_traffic_is_counted_whether_summed_or_not(root, record, upstream, is_summed):
    UsageRecord.objects.update(upstream=upstream.slug, cost_nanos=400_000, created_at=timezone.now())
    if is_summed:
        roll_up()
    page = read(root)
    assert "Requests 1 " in page and "Charged $0.001 " in page and "Margin $0.0006" in page
    assert f"{upstream.slug} 1 0 $0.001" in page


def test_a_cost_that_is_not_known_is_said(root, record):
    UsageRecord.objects.update(cost_nanos=None, created_at=timezone.now())
    assert "cost of 1 not known" in read(root)


def test_a_wallet_near_zero_leads_to_its_organization(root, member):
    Limit.objects.filter(kind="wallet").update(spent_nanos=24_500_000_000)
    html = root.get("/admin/").content.decode()
    assert f'/admin/accounts/organization/{member.organization_id}/change/">dev</a>' in html and "$0.50" in html


def test_an_empty_wallet_that_never_had_money_is_not_near_zero(root, member):
    Limit.objects.filter(kind="wallet").update(limit_nanos=0)
    assert "None has less than its owner wants" in read(root)


def test_what_rests_is_shown_and_what_rested_is_not(root, upstream):
    health = UpstreamHealth.objects.create(
        upstream=upstream, reason="rate limited", rests_until=timezone.now() + timedelta(minutes=1)
    )
    assert f"{upstream.slug} rate limited" in read(root)
    UpstreamHealth.objects.filter(pk=health.pk).update(rests_until=timezone.now() - timedelta(minutes=1))
    assert "None: every enabled route may be tried." in read(root)


def test_a_refused_credential_waits_for_a_person(root, upstream):
    UpstreamHealth.objects.create(upstream=upstream, set_aside_at=timezone.now())
    page = read(root)
    assert f"{upstream.slug} credential refused put back by hand" in page
    assert f"{upstream.slug}: it refused this site's credential twice." in page


def test_an_empty_account_is_an_alarm_while_its_upstream_rests(root, upstream):
    until = timezone.now() + timedelta(minutes=5)
    UpstreamHealth.objects.create(upstream=upstream, reason="no_balance", rests_until=until)
    assert f"{upstream.slug}: this site's account there is empty." in read(root)


def test_each_alarm_says_what_is_wrong(root, upstream, record):
    now = timezone.now()
    figures = dict.fromkeys(["open_holds", "wallets", "entries", "records"], 1)
    Proof.objects.create(started_at=now, ended_at=now, difference_count=3, **figures)
    PaymentEvent.objects.create(id="evt_1", kind="checkout.session.completed", problem="another amount")
    UpstreamHealth.objects.create(upstream=upstream, balance=2, balance_currency="CNY", probe_problem="no answer")
    upstream.balance_alarm, upstream.is_probed = 10, True
    upstream.save()
    UsageRecord.objects.update(created_at=now - timedelta(hours=1))
    page = read(root)
    assert "The books differ in 3 rows" in page
    assert "Payment events with a problem in the last 7 days: 1." in page
    assert f"{upstream.slug} has 2 CNY left." in page.replace("2.0000", "2")
    assert f"{upstream.slug} does not answer its probe: no answer." in page
    assert "is not summed yet: does the worker run?" in page


def test_staff_sees_the_parts_it_has_permissions_for(db):
    user = User.objects.create_user("staff@example.com", is_staff=True)
    client = Client()
    client.force_login(user)
    assert "Your account sees none of the first page's figures" in read(client)
    user.user_permissions.add(Permission.objects.get(codename="view_limit"))
    page = read(client)
    assert "Wallets near zero" in page and "Traffic today" not in page and "Open alarms" not in page
