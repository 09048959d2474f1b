"""The page of refused requests."""

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from accounts import keys
from accounts.models import Membership, User
from billing.models import RefusedRequest
from tests.pages.test_console_pages import owner, stranger, text  # noqa: F401


@pytest.fixture
def key(owner):  # noqa: F811
    made, _ = keys.create_key(organization=owner.organization, created_by=owner.user, name="nightly")
    other, _ = keys.create_key(organization=owner.organization, created_by=owner.user, name="agents")
    for of_key, reason in ((made, "This key may not use Kimi."), (other, "This API key has expired.")):
        RefusedRequest.objects.create(
            organization=owner.organization,
            key=of_key,
            refused_at=timezone.now(),
            code="model_not_allowed",
            param="model",
            reason=reason,
        )
    return made


def test_each_is_shown_with_its_reason(alice, key):
    page = text(alice.get("/console/usage/refused/"))
    assert "This key may not use Kimi." in page and "This API key has expired." in page
    page = text(alice.get(f"/console/usage/refused/?key={key.pk}"))
    assert "This key may not use Kimi." in page and "This API key has expired." not in page


@pytest.mark.parametrize("asked", ["0", "x", "9" * 30])
def test_a_key_that_is_none_is_not_found(alice, key, asked):
    assert alice.get("/console/usage/refused/", {"key": asked}).status_code == 404


def test_a_refused_request_is_found_by_the_id_that_the_client_was_told(alice, key, stranger):  # noqa: F811
    refused = RefusedRequest.objects.get(key=key)
    refused.request = uuid.uuid4()
    refused.save()
    page = text(alice.get("/console/usage/", {"id": refused.request}, follow=True))
    assert "This key may not use Kimi." in page and "This API key has expired." not in page
    assert "There is no request" in text(stranger.get("/console/usage/", {"id": refused.request}))
    assert "It is not kept any more" in text(alice.get("/console/usage/refused/", {"id": uuid.uuid4()}))


def test_others_see_nothing_of_it(stranger, owner, key):  # noqa: F811
    carol = User.objects.create_user("carol@example.com")
    Membership.objects.create(user=carol, organization=owner.organization)
    member = Client()
    member.force_login(carol)
    for client in (stranger, member):
        assert "Nothing was refused" in text(client.get("/console/usage/refused/"))
        assert client.get(f"/console/usage/refused/?key={key.pk}").status_code == 404
