import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import keys, people
from billing.models import UsageRecord
from billing.pricing import set_price


@pytest.fixture
def records(db):
    membership = people.ensure_member(email="a@b.co")[0]
    key, _ = keys.create_key(organization=membership.organization, created_by=membership.user, name="k")
    price = set_price(model="kimi", input_micros=600_000, cached_micros=600_000, output_micros=2_500_000)
    now = timezone.now()
    facts = {"model": "kimi", "stream": True, "status": "completed", "http_status": 200, "ended_by": "completed"}
    facts |= {"count_source": "provider", "input_estimate": 9, "output_limit": 100, "held_nanos": 300_000}
    return [
        UsageRecord.objects.create(
            **facts,
            organization=membership.organization,
            key=key,
            price=price,
            charge_nanos=21_000 * (number + 1),
            attempts=[{"upstream": "one", "reason": "priority"}],
            total_ms=12,
            started_at=now,
            created_at=now - timedelta(minutes=number),
        )
        for number in range(3)
    ]


def test_json_is_a_list_with_the_newest_first(records, capsys):
    call_command("usage", "--email=a@b.co", "--json")
    listed = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in listed] == [str(record.pk) for record in records]
    assert listed[0]["charge"] == "0.000021"
    assert (listed[0]["status"], listed[0]["ended_by"], listed[0]["count_source"]) == (
        "completed",
        "completed",
        "provider",
    )
    assert sum(Decimal(row["charge"]) for row in listed) == Decimal("0.000126")


def test_limit_cuts_the_list(records, capsys):
    call_command("usage", "--email=a@b.co", "--json", "--limit=1")
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_a_table_shows_each_record(records, capsys):
    call_command("usage", "--email=a@b.co")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "$0.000021" in lines[1]
    assert str(records[0].pk) in lines[1]


def test_no_requests_are_an_empty_list(db, capsys):
    people.ensure_member(email="new@b.co")
    call_command("usage", "--email=new@b.co", "--json")
    assert json.loads(capsys.readouterr().out) == []
    call_command("usage", "--email=new@b.co")
    assert capsys.readouterr().out == "no requests yet\n"


def test_another_organizations_requests_are_not_listed(records, capsys):
    people.ensure_member(email="new@b.co")
    call_command("usage", "--email=new@b.co", "--json")
    assert json.loads(capsys.readouterr().out) == []


def test_an_unknown_address_is_named(db):
    with pytest.raises(CommandError, match="is not known here"):
        call_command("usage", "--email=x@b.co")
