"""Grant, adjust, payout, reverse, refund: one form that moves money once."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing import proof
from billing.ledger import get_wallet
from billing.models import LedgerEntry

PASSWORD = "a pass phrase nobody guesses"
SIGNS = {"grant_credit": 1, "adjust": 1, "payout": -1, "reverse": -1, "refund": 1}
KINDS = {"grant_credit": "grant", "adjust": "adjustment", "payout": "payout", "reverse": "reversal", "refund": "refund"}


@pytest.fixture(params=SIGNS)
def name(request):
    """One of the movements."""
    return request.param


@pytest.fixture
def url(name, record):
    """Its page."""
    page = f"billing_usagerecord_{name}" if name == "refund" else f"accounts_organization_{name}"
    return reverse(f"admin:{page}", args=[record.pk if name == "refund" else record.organization_id])


@pytest.fixture
def entries():
    """The entries that people made here."""
    return LedgerEntry.objects.exclude(kind="charge").exclude(actor="test")


def form(**changes):
    return {"usd": "0.001", "reason": "pilot", "reference": str(uuid.uuid4())} | changes


def test_it_happens_once_however_often_it_is_sent(root, name, url, member, entries):
    before, given = get_wallet(organization=member.organization).limit_nanos, form()
    for _ in range(2):
        assert root.post(url, given).status_code == 302
    entry = entries.get()
    assert (entry.kind, entry.amount_nanos) == (KINDS[name], SIGNS[name] * 10**6)
    assert (entry.actor, entry.reason) == ("root@example.com", "pilot")
    assert get_wallet(organization=member.organization).limit_nanos - before == entry.amount_nanos
    assert given["reference"] in entry.reference
    assert proof.check_books_inside().differences == {}


def test_the_row_says_what_was_done(root, name, url):
    page = root.post(url, form(), follow=True).content.decode()
    assert "$0.001 " in page
    assert "pilot" in LogEntry.objects.get().change_message


def test_looking_at_the_form_moves_nothing(root, url, entries):
    page = root.get(url)
    assert page.status_code == 200
    assert uuid.UUID(str(page.context["form"]["reference"].value()))
    assert not entries.exists()


@pytest.mark.parametrize(
    "wrong", [{"usd": "0"}, {"usd": "NaN"}, {"usd": ""}, {"usd": "1e12"}, {"reason": ""}, {"reference": "x"}]
)
def test_a_senseless_form_moves_nothing(root, url, entries, wrong):
    assert root.post(url, form(**wrong)).status_code == 400
    assert not entries.exists()


def test_only_an_adjustment_takes_a_negative_amount(root, name, url, entries):
    expected = 302 if name == "adjust" else 400
    assert root.post(url, form(usd="-30")).status_code == expected
    assert entries.exists() == (name == "adjust")


@pytest.mark.parametrize(
    ("name", "usd", "says"),
    [("payout", "25", "available"), ("refund", "0.0011", "refunded"), ("grant_credit", "999999999", "billion")],
    indirect=["name"],
)
def test_what_the_ledger_refuses_is_said_in_the_form(root, url, entries, usd, says):
    answer = root.post(url, form(usd=usd))
    assert answer.status_code == 400
    assert says in answer.context["form"].non_field_errors()[0]
    assert not entries.exists()


def test_staff_without_the_permission_moves_nothing(url, entries):
    client = Client()
    client.force_login(User.objects.create_user("staff@example.com", is_staff=True))
    assert client.post(url, form()).status_code == 403
    assert not entries.exists()


@pytest.mark.parametrize("name", ["reverse"], indirect=True)
def test_a_refund_proposes_what_is_left(root, record, url):
    page = root.get(reverse("admin:billing_usagerecord_refund", args=[record.pk]))
    assert page.context["form"]["usd"].value() == "0.001"
    assert "charged $0.001, of which $0.001 can be refunded" in page.content.decode()


@pytest.mark.parametrize("name", ["grant_credit"], indirect=True)
def test_a_row_that_is_not_there_is_not_found(root, url):
    assert root.post(reverse("admin:billing_usagerecord_refund", args=["x"]), form()).status_code == 404
    assert root.post(reverse("admin:accounts_organization_payout", args=[0]), form()).status_code == 404


# --- a recent sign-in --------------------------------------------------------


@pytest.fixture
def signed_in_long_ago(db, settings):
    """An administrator's browser that gave its password some time ago, and that no earlier test has used up."""
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    client = Client()
    client.force_login(User.objects.create_superuser("boss@example.com", PASSWORD))
    return client


def test_a_password_is_asked_for_first(signed_in_long_ago, url, entries):
    for answer in (signed_in_long_ago.get(url), signed_in_long_ago.post(url, form())):
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=%2Fadmin%2F")
    assert not entries.exists()


def test_a_form_that_was_stopped_goes_on_behind_the_password(signed_in_long_ago, url, entries):
    stopped = signed_in_long_ago.post(url, form())
    wrong = signed_in_long_ago.post(stopped.headers["Location"], {"password": "x", "next": url})
    assert (wrong.status_code, entries.exists()) == (200, False)
    signed_in_long_ago.post(stopped.headers["Location"], {"password": PASSWORD, "next": url})
    assert entries.get().actor == "boss@example.com"


def test_codes_are_money_too(signed_in_long_ago):
    answer = signed_in_long_ago.get(reverse("admin:billing_redeemcode_make"))
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")


def test_nobody_is_made_an_administrator_without_it(signed_in_long_ago, member):
    url = reverse("admin:accounts_user_change", args=[member.user_id])
    assert signed_in_long_ago.get(url).status_code == 200
    rows = {f"memberships-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    given = {"name": "", "is_active": "on", "is_staff": "on", "is_superuser": "on"} | rows
    stopped = signed_in_long_ago.post(url, given)
    assert stopped.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not User.objects.get(pk=member.user_id).is_staff
    signed_in_long_ago.post(stopped.headers["Location"], {"password": PASSWORD, "next": url})
    assert User.objects.get(pk=member.user_id).is_staff
