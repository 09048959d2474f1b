"""What a provider asks, in its currency and in US dollars."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billing import costs, rows, sweep
from billing.costs import CostRecord, RateError, set_rate
from billing.models import ExchangeRate, UsageRecord
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.conftest import settle

YUAN = CostRecord("CNY", (2_000_000, 500_000, 8_000_000), 140_000_000)


def test_a_cost_is_reckoned_in_both_currencies():
    assert YUAN.describe(Tokens(input=1000, cached=200, output=300)) == {
        "cost": Decimal("0.0041"),
        "cost_currency": "CNY",
        "cost_nanos": 574_000,
    }


def test_without_a_rate_only_the_providers_currency_is_known():
    cost = CostRecord("CNY", YUAN.micros, None).describe(Tokens(input=1))
    assert (cost["cost"], cost["cost_nanos"]) == (Decimal("0.000002"), None)


def test_what_nobody_counted_costs_nothing():
    assert YUAN.describe(Tokens()) == {"cost": 0, "cost_currency": "CNY", "cost_nanos": 0}


def test_a_senseless_cost_still_fits_into_its_columns():
    cost = CostRecord("XXX", (10**15,) * 3, 10**15).describe(Tokens(input=10**9, output=10**9))
    assert (cost["cost"], cost["cost_nanos"]) == (Decimal("999999999.999999999"), 10**18 - 1)


def test_a_checkpoint_keeps_what_the_provider_asks():
    assert CostRecord.unpack(YUAN.pack()) == YUAN


def test_the_record_of_a_request_has_its_cost(make_key, admissions, ask):
    tokens = Tokens(input=100, output=10)
    [admission] = admissions.admit_batch([ask(make_key())])
    settle_batch([settle(admission, tokens, **YUAN.describe(tokens))])
    record = UsageRecord.objects.get()
    assert (record.cost, record.cost_currency, record.cost_nanos) == (Decimal("0.00028"), "CNY", 39_200)


def test_a_swept_request_has_the_cost_of_what_was_delivered(make_key, admissions, ask, monkeypatch):
    [admission] = admissions.admit_batch([ask(make_key())])
    sweep.write_checkpoints([(admission.request.id, {"input": 100, "output": 10, "cost": YUAN.pack()})])
    later = rows.read_clock() + timedelta(hours=1)
    monkeypatch.setattr(rows, "read_clock", lambda: later)
    sweep.sweep()
    assert UsageRecord.objects.get().cost_nanos == 39_200
    tokens = Tokens(input=200, output=20)
    settle_batch([settle(admission, tokens, **YUAN.describe(tokens))])
    assert UsageRecord.objects.get().cost_nanos == 78_400


# --- rates of exchange -----------------------------------------------------


def test_a_dollar_is_a_dollar(db):
    assert costs.current_rates() == {"USD": 10**9}


def test_the_latest_rate_that_has_begun_is_in_force(db):
    now = timezone.now()
    for days, usd in ((-2, "0.13"), (-1, "0.138"), (1, "0.2")):
        set_rate(currency="cny", usd=Decimal(usd), starts_at=now + timedelta(days=days))
    assert costs.current_rates()["CNY"] == 138_000_000
    assert costs.find_rate(currency="CNY", at=now - timedelta(days=1.5)) == Decimal("0.13")
    assert costs.find_rate(currency="CNY", at=now - timedelta(days=3)) is None
    assert costs.next_change() == now + timedelta(days=1)


@pytest.mark.parametrize(
    ("currency", "usd"),
    [("USD", "1"), ("yuan", "0.1"), ("C¥", "0.1"), ("CNY", "0"), ("CNY", "-1"), ("CNY", "NaN"), ("CNY", "1E-10")],
)
def test_a_senseless_rate_is_refused(db, currency, usd):
    with pytest.raises(RateError):
        set_rate(currency=currency, usd=Decimal(usd))
    assert not ExchangeRate.objects.exists()


def test_a_moment_has_one_rate(db):
    at = timezone.now()
    set_rate(currency="CNY", usd=Decimal("0.1"), starts_at=at)
    with pytest.raises(RateError, match="from this moment already"):
        set_rate(currency="CNY", usd=Decimal("0.2"), starts_at=at)
