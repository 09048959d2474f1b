"""What checks the books, as the administrator sees it."""

import pytest
from django.urls import reverse

from billing.books import proofs
from billing.models import Limit, Proof

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
