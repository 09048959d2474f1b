"""The wallet's page: what may be spent, and every way to add to it."""

import re
import uuid
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from accounts import attempts, members, people
from accounts.models import Membership, User
from billing import ledger, retention
from billing.ledger import get_wallet
from billing.models import LedgerEntry, Mark, RedeemCode
from billing.payments import codes

WALLET = "/console/wallet/"


@pytest.fixture(autouse=True)
def no_attempts():
    attempts.forget_attempts()


@pytest.fixture
def owner(alice) -> Membership:
    return Membership.objects.select_related("organization").get(user__email="alice@example.com")


@pytest.fixture
def code(db) -> str:
    return codes.make_codes(count=1, nanos=25 * 10**9, batch="fair", created_by="test")[0]


def text(response) -> str:
    return unescape(response.content.decode())


def redeem(client, code, **options):
    return client.post(WALLET, {"form": "redeem", "code": code}, **options)


def test_a_code_is_redeemed(alice, owner, code):
    page = text(redeem(alice, code, follow=True))
    assert "The code is redeemed: $25.00 went into the wallet." in page
    assert get_wallet(organization=owner.organization).limit_nanos == 25 * 10**9
    assert code not in page
    assert f"Redeem code {code[:4]}…" in page


def test_a_second_try_says_who_redeemed_it(alice, owner, code):
    redeem(alice, code)
    page = text(redeem(alice, code))
    assert "by alice@example.com: its $25.00 went into this wallet." in page
    assert get_wallet(organization=owner.organization).limit_nanos == 25 * 10**9


def test_another_organization_is_not_told_that_a_code_was_used(alice, code):
    redeem(alice, code)
    client = Client()
    client.force_login(people.ensure_member(email="bob@example.com")[0].user)
    page = text(redeem(client, code))
    assert "This code gives no credit." in page
    assert "alice" not in page


@pytest.mark.parametrize("wrong", ["", "x" * 101, "\0", "<b>", "💥"])
def test_what_is_no_code_is_refused_at_its_field(alice, wrong):
    response = redeem(alice, wrong)
    assert response.status_code == 200
    field = re.search(r'<input type="text" name="code"[^>]*>', response.content.decode())
    assert field
    assert "autofocus" in field[0]
    assert 'aria-invalid="true"' in field[0]


def test_too_many_tries_are_refused(alice, code, monkeypatch):
    monkeypatch.setattr(codes, "REDEEM_LIMIT", attempts.AttemptLimit("redeem", per_user=1, per_address=9))
    redeem(alice, "x")
    response = redeem(alice, code)
    assert response.status_code == 429
    assert "wait ten minutes" in text(response)
    assert RedeemCode.objects.get().redeemed_at is None


def test_only_who_sees_the_wallet_may_redeem(owner, code):
    user = User.objects.create_user("mia@example.com")
    Membership.objects.create(user=user, organization=owner.organization, role="member")
    client = Client()
    client.force_login(user)
    assert members.find_membership(user=user).organization == owner.organization
    assert redeem(client, code).status_code == 403
    assert RedeemCode.objects.get().redeemed_at is None


def test_a_form_from_another_site_redeems_nothing(owner, code):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner.user)
    assert redeem(client, code).status_code == 403
    assert RedeemCode.objects.get().redeemed_at is None


def test_entries_have_names_for_people(alice, owner):
    values = {"organization": owner.organization, "nanos": 10**9, "actor": "root", "reason": "a reason"}
    ledger.credit(**values, reference="a")
    ledger.payout(**values, reference="b")
    ledger.reverse(**values, reference="c")
    ledger.adjust(**values, reference="d")
    page = text(alice.get(WALLET))
    for name in ("top-up", "payout to the card", "reversal of a payment", "adjustment"):
        assert f"<td>{name}</td>" in page
    assert page.count("-$1.00") == 2
    assert "root" not in page


def test_charges_lead_to_their_requests_as_long_as_those_are_kept(alice, owner):
    request, wallet = uuid.uuid4(), get_wallet(organization=owner.organization)
    LedgerEntry.objects.create(
        organization=owner.organization,
        wallet=wallet,
        kind="charge",
        amount_nanos=-7,
        reference=str(request),
        request=request,
        actor="gateway",
        created_at=timezone.now(),
    )
    assert f'href="/console/usage/{request}/"' in text(alice.get(WALLET))
    Mark.objects.create(name=retention.USAGE_KEPT_SINCE, at=timezone.now())
    page = text(alice.get(WALLET))
    assert str(request) in page and "/console/usage/" not in page.replace('"/console/usage/"', "")


def test_no_more_is_shown_than_there_is(alice, owner):
    add = {"organization": owner.organization, "actor": "test", "reference": "a"}
    ledger.grant(nanos=6 * 10**9, reason="", **add)
    ledger.adjust(nanos=-225_200, reason="a mistake", **add)
    page = text(alice.get(WALLET))
    assert page.count("$5.99</dd>") == 2  # available and balance
    assert "the balance is $5.9997748." in page
    assert "$5.99</a>" in text(alice.get("/console/"))
