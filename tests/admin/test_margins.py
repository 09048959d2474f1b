"""Margins and bills in the admin: filters in the address, a bill by upload."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.models import BillLine, UsageRecord
from routing.pools import add_upstream

MARGINS = "admin:billing_reconcilerun_margins"
DRIFT = "admin:billing_billline_drift"
IMPORT = "admin:billing_billline_import_bill"
REMOVE = "admin:billing_billline_remove_lines"


@pytest.fixture
def upstream(catalogue):
    return add_upstream(family="kimi", base_url="https://a.com", upstream_model="m", provider="moonshot").upstream


@pytest.fixture
def costed(record, upstream):
    UsageRecord.objects.update(upstream=upstream.slug, provider="moonshot", cost_nanos=400_000)
    return UsageRecord.objects.get()


def bill(text: str, **fields):
    file = SimpleUploadedFile("bill.csv", text.encode(), content_type="text/csv")
    return {"provider": "moonshot", "file": file, "currency": "", "rate": ""} | fields


def test_margins_are_shown_per_day_and_upstream(root, costed):
    page = root.get(reverse(MARGINS)).content.decode()
    assert f"{timezone.now():%Y-%m-%d}</td>" in page
    assert costed.upstream in page
    for figure in ("$0.001", "$0.0004", "$0.0006", "60.0 %"):
        assert f">{figure}</td>" in page


def test_the_address_holds_the_filters(root, costed):
    ago = timezone.now().date() - timedelta(days=40)
    old = root.get(reverse(MARGINS), {"from": f"{ago}", "to": f"{ago}"}).content.decode()
    assert "No request ended in these days" in old
    assert f'value="{ago}"' in old
    other = root.get(reverse(MARGINS), {"upstream": "demo"}).content.decode()
    assert "No request ended in these days at this upstream" in other


@pytest.mark.parametrize("asked", [{"from": "x"}, {"from": "2026-02-02", "to": "2026-01-01"}, {"upstream": "no"}])
@pytest.mark.parametrize("page", [MARGINS, DRIFT])
def test_a_senseless_filter_still_shows_a_page(root, page, asked):
    assert root.get(reverse(page), asked).status_code == 200


def test_a_bill_is_uploaded_and_its_drift_shown(root, costed):
    today = timezone.now().date()
    text = f"day,model,tokens,cost,currency\n{today},kimi-k2,1200,0.0007,USD\n"
    answer = root.post(reverse(IMPORT), bill(text), follow=True)
    page = answer.content.decode()
    assert "1 line of" in page
    assert "$0.0003" in page
    assert "75.0 %" in page
    assert BillLine.objects.get().imported_by == "root@example.com"
    again = root.post(reverse(IMPORT), bill(text), follow=True).content.decode()
    assert "0 new, 1 replaced" in again


def test_a_bad_line_is_named_and_nothing_is_imported(root, upstream):
    text = "day,model,tokens,cost,currency\n2026-11-01,m,1,1,USD\n2026-11-02,<b>,x,1,USD\n"
    answer = root.post(reverse(IMPORT), bill(text))
    assert answer.status_code == 400
    assert "Line 3, tokens: &#x27;x&#x27; is not a whole number" in answer.content.decode()
    assert not BillLine.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"provider": "x"}, {"provider": ""}, {"file": ""}, {"rate": "0.1"}, {"currency": "X"}]
)
def test_a_senseless_form_imports_nothing(root, upstream, wrong):
    text = "day,model,tokens,cost,currency\n2026-11-01,m,1,1,USD\n"
    assert root.post(reverse(IMPORT), bill(text, **wrong)).status_code == 400
    assert not BillLine.objects.exists()


def test_a_bill_for_the_wrong_provider_is_taken_back(root, upstream):
    root.post(reverse(IMPORT), bill("day,model,tokens,cost,currency\n2026-11-01,m,1,1,USD\n"))
    assert re.search(r"<button[^>]*>\s*Remove\s*</button>", root.get(reverse(REMOVE)).content.decode())
    days = {"provider": "moonshot", "first": "2026-11-01", "last": "2026-11-01"}
    for wrong in ({"provider": ""}, {"first": ""}, {"first": "2026-11-02"}):
        assert root.post(reverse(REMOVE), days | wrong).status_code == 400
    assert "moonshot: 1 line removed." in root.post(reverse(REMOVE), days, follow=True).content.decode()
    assert not BillLine.objects.exists()


def test_without_a_bill_the_page_says_what_to_do(root):
    assert "No bill of these days has been imported" in root.get(reverse(DRIFT)).content.decode()


def test_who_may_only_look_imports_nothing(db, upstream):
    viewer = User.objects.create_user("viewer@example.com", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(viewer)
    page = client.get(reverse(DRIFT))
    assert page.status_code == 200
    assert "import a bill" not in page.content.decode()
    assert client.get(reverse(MARGINS)).status_code == 200
    assert client.post(reverse(IMPORT), bill("day\n")).status_code == 403
    assert client.post(reverse(REMOVE), {}).status_code == 403
