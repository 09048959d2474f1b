"""Prices, the calculator, and how prices changed."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from billing import money, pricing
from billing.models import Price

WORKLOAD = {"input": "1000", "cached": "25", "output": "500", "requests": "3"}


def read(client, path="/pricing/", **asked):
    response = client.get(path, asked)
    assert response.status_code == 200
    return response.content.decode()


def sums(html, family):
    row = re.search(rf'<tr[^>]*><th scope="row"><a href="/models/{family}/".*?</tr>', html)[0]
    return re.findall(r'data-sum="\w+">(?:<b>)?(.*?)<', row)


def test_the_calculator_sums_as_a_charge_does(client, catalogue):
    price = Price.objects.get(model="kimi")
    request = money.charge(1000, 250, 500, (price.input_micros, price.cached_micros, price.output_micros))
    expected = [money.format_usd(each) for each in (90 * request, 3 * request, request)]
    assert sums(read(client, **WORKLOAD), "kimi") == expected


def test_without_a_workload_in_the_address_a_common_one_is_shown(client, catalogue):
    html = read(client)
    assert 'name="input" value="1000"' in html
    assert "–" not in sums(html, "kimi")


@pytest.mark.parametrize(
    "wrong", [{"input": "many"}, {"cached": "101"}, {"output": "-1"}, {"requests": ""}, {"input": "99999999999"}]
)
def test_what_makes_no_sense_is_kept_and_named(client, catalogue, wrong):
    html = read(client, **WORKLOAD | wrong)
    [(name, value)] = wrong.items()
    assert f'name="{name}" value="{value}"' in html or not value
    assert html.count('class="field-error"') == 1
    assert set(sums(html, "kimi")) == {"–"}


def test_the_cheapest_comes_first_when_asked(client, catalogue):
    html = read(client, **WORKLOAD, sort="cost")
    months = [int(row.replace("$", "").replace(".", "").ljust(9, "0")) for row in _months(html)]
    assert months == sorted(months)
    assert 'aria-sort="ascending"' in html


def _months(html):
    return re.findall(r'data-sum="month"><b>(\$0\.\d+)', html)


def test_a_price_to_come_is_told(client, catalogue):
    kimi = Price.objects.get(model="kimi")
    later = timezone.now() + timedelta(days=3)
    pricing.set_price(
        model="kimi", input_micros=1_230_000, cached_micros=0, output_micros=kimi.output_micros, starts_at=later
    )
    assert "$1.23" in read(client)
    changed = read(client, "/changelog/")
    assert "to come" in changed
    assert re.search(r"Input <del>\$0\.60</del> → <b>\$1\.23</b>", changed)
    assert "Output <del>" not in changed


def test_the_changelog_begins_with_the_first_prices(client, catalogue):
    assert read(client, "/changelog/").count("first price") == Price.objects.count()


def test_without_models_both_pages_say_so(client, db):
    assert "No model is set up yet" in read(client)
    assert "No price has been set yet" in read(client, "/changelog/")
