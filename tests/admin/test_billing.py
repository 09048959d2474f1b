from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing.models import Hold, LedgerEntry, Limit, Price, UsageRecord
from billing.pricing import current_prices
from tests.services import DATABASE

READ_ONLY = [LedgerEntry, Hold, UsageRecord, Limit]
NEW_PRICE = {"model": "kimi", "input_usd": "0.70", "cached_usd": "0.10", "output_usd": "2.60"}


@pytest.fixture
def record(catalogue, key):
    now = timezone.now()
    return UsageRecord.objects.create(
        organization=key.organization,
        key=key,
        model="kimi",
        stream=True,
        status="failed",
        http_status=502,
        ended_by="upstream",
        count_source="estimate",
        input_estimate=1,
        output_limit=1,
        held_nanos=1,
        charge_nanos=21_000,
        price=Price.objects.get(model="kimi"),
        attempts=[{"reason": "<script>alert(1)</script>" + "x" * 9000}],
        total_ms=1,
        started_at=now,
        created_at=now,
    )


@pytest.mark.parametrize("model", READ_ONLY)
@pytest.mark.usefixtures("record")
def test_money_is_only_looked_at(root, model):
    name = f"admin:billing_{model._meta.model_name}"
    assert root.post(reverse(f"{name}_add"), {}).status_code == 403
    if row := model.objects.first():
        assert root.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
        answer = root.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}, follow=True)
        assert "are never deleted" in answer.content.decode()
        assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.skipif(DATABASE == "postgresql", reason="it sorts a table without rows, whatever its indexes")
@pytest.mark.parametrize("model", [LedgerEntry, Hold, UsageRecord])
def test_lists_of_millions_come_in_the_order_of_an_index(db, model):
    rows = model.objects.order_by(*admin.site.get_model_admin(model).ordering)
    assert "TEMP B-TREE FOR ORDER BY" not in rows[:100].explain()


def test_a_providers_text_is_escaped_and_cut(root, record):
    page = root.get(reverse("admin:billing_usagerecord_change", args=[record.pk])).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "x" * 2001 not in page
    assert "$0.000021" in page


@pytest.mark.parametrize("find", ["id", "organization", "email"])
def test_a_request_is_found(root, record, find):
    term = {"id": record.pk, "organization": record.organization_id, "email": "Dev@example.com"}[find]
    page = root.get(reverse("admin:billing_usagerecord_changelist"), {"q": str(term), "period": "day"})
    assert f"/usagerecord/{record.pk}/" in page.content.decode()


@pytest.mark.parametrize("term", ["x", "9" * 40, "²", "a@b.co", "-1", "%", "'"])
def test_what_does_not_exist_is_not_found(root, record, term):
    page = root.get(reverse("admin:billing_usagerecord_changelist"), {"q": term})
    assert page.status_code == 200
    assert str(record.pk) not in page.content.decode()


def test_a_list_of_usage_never_counts_its_rows(root, record):
    with CaptureQueriesContext(connection) as queries:
        root.get(reverse("admin:billing_usagerecord_changelist"))
    assert not [query["sql"] for query in queries.captured_queries if "COUNT(" in query["sql"]]


def test_a_new_price_follows_the_old_one(root, catalogue):
    assert root.post(reverse("admin:billing_price_add"), NEW_PRICE).status_code == 302
    assert Price.objects.filter(model="kimi").count() == 2
    price = current_prices()["kimi"]
    assert (price.input_micros, price.cached_micros, price.output_micros) == (700_000, 100_000, 2_600_000)


def test_a_price_can_begin_later(root, catalogue):
    later = timezone.now() + timedelta(days=1)
    given = NEW_PRICE | {"starts_at_0": f"{later:%Y-%m-%d}", "starts_at_1": f"{later:%H:%M:%S}"}
    assert root.post(reverse("admin:billing_price_add"), given).status_code == 302
    assert current_prices()["kimi"].input_micros == 600_000
    assert Price.objects.filter(model="kimi").count() == 2


@pytest.mark.parametrize(
    "wrong", [{"input_usd": "-1"}, {"output_usd": "x"}, {"cached_usd": "9"}, {"model": "gpt"}, {"input_usd": ""}]
)
def test_a_senseless_price_is_refused(root, catalogue, wrong):
    answer = root.post(reverse("admin:billing_price_add"), NEW_PRICE | wrong, follow=True)
    assert answer.status_code == 200
    assert Price.objects.count() == 17


def test_a_price_is_never_changed_or_deleted(root, catalogue):
    price = Price.objects.get(model="kimi")
    assert root.post(reverse("admin:billing_price_change", args=[price.pk]), NEW_PRICE).status_code == 403
    answer = root.post(reverse("admin:billing_price_delete", args=[price.pk]), {"post": "yes"}, follow=True)
    assert "never deleted" in answer.content.decode()
    assert Price.objects.filter(pk=price.pk).exists()
