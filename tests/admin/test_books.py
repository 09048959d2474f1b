"""What checks the books, as the administrator sees it."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from billing import costs
from billing.books import proofs
from billing.books.reconcile import reconcile
from billing.models import ExchangeRate, Limit, Proof

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_proof_shows_its_figures_and_the_rows_that_differ(transactional_db, root, member):
    proofs.check_and_store()
    Limit.objects.update(spent_nanos=77_777)
    proofs.check_and_store(since="latest")
    listed = root.get(reverse("admin:billing_proof_changelist")).content.decode()
    assert "since" in listed
    assert "everything" in listed
    page = root.get(reverse("admin:billing_proof_change", args=[Proof.objects.latest("pk").pk])).content.decode()
    assert "wallet: spent is not the sum of its charges" in page
    assert f">{Limit.objects.get().pk}</td>" in page
    assert ">77777</td>" in page


def test_a_proof_is_only_looked_at(transactional_db, root, member):
    _, stored = proofs.check_and_store()
    assert root.post(reverse("admin:billing_proof_change", args=[stored.pk]), {"entries": 7}).status_code == 403
    assert root.post(reverse("admin:billing_proof_add"), {}).status_code == 403
    root.post(reverse("admin:billing_proof_delete", args=[stored.pk]), {"post": "yes"}, follow=True)
    assert Proof.objects.get() == stored


def test_a_nights_reconciliation_shows_the_records_that_differ(transactional_db, root, record):
    record.input_tokens = 77
    record.save()
    run = reconcile(until=timezone.now() + timedelta(seconds=1))
    listed = root.get(reverse("admin:billing_reconcilerun_changelist")).content.decode()
    assert "$0.001" in listed
    page = root.get(reverse("admin:billing_reconcilerun_change", args=[run.pk])).content.decode()
    assert "charge and uncollected are not tokens" in page
    assert f">{record.pk}</td>" in page


def add_rate(root, **fields):
    given = {"currency": "cny", "usd": "0.138", "starts_at_0": "", "starts_at_1": ""} | fields
    return root.post(reverse("admin:billing_exchangerate_add"), given)


def test_a_rate_of_exchange_is_added_and_never_changed(transactional_db, root):
    assert add_rate(root).status_code == 302
    assert add_rate(root, usd="0.1", starts_at_0="2026-01-01", starts_at_1="00:00").status_code == 302
    assert costs.current_rates()["CNY"] == 138_000_000
    rate = ExchangeRate.objects.first()
    assert root.post(reverse("admin:billing_exchangerate_change", args=[rate.pk]), {"usd": "1"}).status_code == 403
    answer = root.post(reverse("admin:billing_exchangerate_delete", args=[rate.pk]), {"post": "yes"}, follow=True)
    assert "never deleted" in answer.content.decode()


@pytest.mark.parametrize("wrong", [{"usd": "0"}, {"usd": "x"}, {"currency": "yen!"}, {"currency": "USD"}])
def test_a_senseless_rate_is_refused(transactional_db, root, wrong):
    add_rate(root, **wrong)
    assert not ExchangeRate.objects.exists()
