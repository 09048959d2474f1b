"""Redeem codes: each gives its credit once, to whoever comes first, and tells a stranger nothing."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from accounts import attempts, people
from accounts.models import User
from billing import proof
from billing.ledger import get_wallet
from billing.models import LedgerEntry, RedeemCode
from billing.payments import codes
from billing.payments.codes import CodeError, TooManyCodesError, UnknownCodeError

USD = 10**9
THREADS = 20


@pytest.fixture(autouse=True)
def no_attempts():
    attempts.forget_attempts()


@pytest.fixture
def member(db):
    return people.ensure_member(email="ann@example.com")[0]


@pytest.fixture
def stranger(db):
    return people.ensure_member(email="eve@example.com")[0]


def make(**fields):
    [code] = codes.make_codes(count=1, **{"nanos": 25 * USD, "batch": "fair", "created_by": "test"} | fields)
    return code


def redeem(membership, text, address="192.0.2.1"):
    return codes.redeem_code(text=text, organization=membership.organization, user=membership.user, address=address)


def balance(membership):
    return get_wallet(organization=membership.organization).limit_nanos


def test_a_code_is_130_bits_more_than_what_is_kept_of_it(db):
    made = codes.make_codes(count=50, nanos=USD, batch="fair", created_by="test")
    assert len(set(made)) == 50
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]{5}", code) for code in made)
    rows = repr(list(RedeemCode.objects.values()))
    assert not any(code[5:] in rows or code.replace("-", "")[5:] in rows for code in made)
    assert repr(made[:2]) == "[***, ***]"


def test_a_code_gives_its_credit_once(member):
    code = make()
    redeem(member, code)
    with pytest.raises(CodeError, match=r"This code was redeemed on .* by ann@example.com: its \$25.00"):
        redeem(member, code)
    assert balance(member) == 25 * USD
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.actor, entry.reference) == (
        "grant",
        "ann@example.com",
        f"code:{RedeemCode.objects.get().pk}",
    )
    assert proof.check_books_inside().differences == {}


@pytest.mark.parametrize(
    "write", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code.replace('-', ' – ')} "]
)
def test_case_dashes_and_spaces_do_not_matter(member, write):
    redeem(member, write(make()))
    assert balance(member) == 25 * USD


def test_letters_that_look_like_digits_are_read_as_them(member, monkeypatch):
    monkeypatch.setattr(codes.secrets, "choice", lambda letters: "0")
    redeem(member, make().replace("0", "O"))
    monkeypatch.setattr(codes.secrets, "choice", lambda letters: "1")
    redeem(member, make().replace("1", "l"))
    assert balance(member) == 50 * USD


def test_a_stranger_is_not_told_why_a_code_gives_nothing(member, stranger):
    used, expired = make(), make(expires_at=timezone.now() + timedelta(days=1))
    redeem(member, used)
    RedeemCode.objects.filter(hint=expired[:4]).update(expires_at=timezone.now() - timedelta(seconds=1))
    said = set()
    for text in (used, expired, make()[:-1] + "U", "", "\udcff", "x" * 5000):
        with pytest.raises(UnknownCodeError) as refused:
            redeem(stranger, text)
        said.add(str(refused.value))
    assert len(said) == 1
    assert balance(stranger) == 0


def test_too_many_codes_of_a_person_are_not_looked_up(member):
    code = make()
    for number in range(codes.REDEEM_LIMIT.per_user):
        with pytest.raises(UnknownCodeError):
            redeem(member, "x", address=f"198.51.100.{number}")
    with pytest.raises(TooManyCodesError):
        redeem(member, code)
    assert balance(member) == 0


def test_too_many_codes_from_an_address_are_not_looked_up(member, stranger, monkeypatch):
    monkeypatch.setattr(codes, "REDEEM_LIMIT", attempts.AttemptLimit("redeem", per_user=9, per_address=2))
    for number in range(2):
        with pytest.raises(UnknownCodeError):
            redeem(stranger, "x", address=f"2001:db8::{number}")
    with pytest.raises(TooManyCodesError):
        redeem(member, make(), address="2001:db8::9")
    redeem(member, make(), address="2001:db8:0:1::9")


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"count": 501}, {"nanos": 0}, {"expires_at": timezone.now() - timedelta(days=1)}]
)
def test_senseless_codes_are_not_made(db, wrong):
    with pytest.raises(CodeError):
        codes.make_codes(**{"count": 1, "nanos": USD, "batch": "x", "created_by": "test"} | wrong)
    assert not RedeemCode.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_get_the_credit_once():
    [code] = codes.make_codes(count=1, nanos=25 * USD, batch="fair", created_by="test")
    members = [people.ensure_member(email=f"{number}@example.com")[0] for number in range(THREADS)]
    start = Barrier(THREADS)

    def race(membership):
        try:
            start.wait()
            redeem(membership, code, address=f"192.0.2.{membership.pk % 200}")
        except UnknownCodeError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(THREADS) as threads:
        won = list(threads.map(race, members))
    assert won.count(True) == 1
    assert [entry.organization_id for entry in LedgerEntry.objects.all()] == [members[won.index(True)].organization_id]
    assert User.objects.get(pk=RedeemCode.objects.get().user_id) == members[won.index(True)].user
    assert proof.check_books().differences == {}
