"""What stands in the way, told where people look for it: a provider down, no mail, no money, no traffic."""

from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from accounts.adapter import CONFIRMATION_LINK
from accounts.models import Membership
from billing import ledger
from routing import pools
from routing.models import Route, UpstreamHealth


@pytest.fixture
def owner(alice) -> Membership:
    found = Membership.objects.select_related("organization").get(user__email="alice@example.com")
    ledger.grant(organization=found.organization, nanos=10**9, actor="test")
    return found


@pytest.fixture
def kimi(catalogue) -> Route:
    return pools.add_upstream(family="kimi", base_url="https://a.example.com/v1", upstream_model="k2")


def rest(route: Route) -> None:
    UpstreamHealth.objects.create(upstream=route.upstream, rests_until=timezone.now() + timedelta(seconds=90))


def read(client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return unescape(response.content.decode())


@pytest.mark.parametrize("path", ["/models/kimi/", "/playground/?model=kimi", "/status/"])
def test_a_provider_that_is_down_is_told(alice, owner, kimi, path):
    words = "be reached now"
    assert words not in read(alice, path).replace("All models can be reached", "")
    rest(kimi)
    assert words in read(alice, path)


def test_the_playground_marks_each_model_that_is_down(alice, owner, kimi):
    rest(kimi)
    page = read(alice, "/playground/?model=deepseek")
    assert "be reached now" not in page
    assert page.count('value="kimi" data-name="Kimi"') == page.count('data-down="1"') > 0


def test_a_model_with_another_provider_is_not_down(alice, owner, kimi):
    pools.add_upstream(family="kimi", base_url="https://b.example.com/v1", upstream_model="k2")
    rest(kimi)
    assert "be reached now" not in read(alice, "/models/kimi/") + read(alice, "/playground/?model=kimi")


def test_a_wallet_at_zero_says_what_that_means(alice, catalogue):
    assert "Nothing is available: calls are refused" in read(alice, "/console/wallet/")


def test_without_usage_it_says_what_will_be_there(alice, catalogue):
    assert "No request yet" in read(alice, "/console/usage/")


def test_a_site_without_mail_says_where_links_and_alerts_go(alice, client, settings):
    settings.MAIL_CONFIGURED = False
    assert "Ask the operator to pass the link on" in read(client, "/accounts/password/reset/")
    assert "Ask the operator for your link" in read(client, "/accounts/password/reset/done/")
    assert "alerts stand in the console alone" in read(alice, "/console/settings/")
    assert "ask the operator to pass on the links" in read(alice, "/accounts/email/")


def test_an_address_that_is_added_without_mail_gets_its_link_on_the_page(alice, settings):
    settings.MAIL_CONFIGURED, settings.EMBEDDED, settings.SIGNUP = False, True, "open"
    page = alice.post("/accounts/email/", {"email": "other@example.com", "action_add": ""}, follow=True)
    assert "The link that confirms other@example.com was made." in page.text
    assert alice.session[CONFIRMATION_LINK] in unescape(page.text)


def test_a_site_with_mail_says_none_of_it(alice, client, settings):
    settings.MAIL_CONFIGURED = True
    for path in ("/console/settings/", "/accounts/email/"):
        assert "no mail set up" not in read(alice, path)
