"""Every page at three widths in both themes; the pictures are kept in build/pictures/."""

import pytest
from allauth.core.internal import ratelimit
from django.test import Client
from django.urls import reverse

from accounts.models import Organization, User
from billing.models import LedgerEntry, UsageRecord
from routing.catalog import load_families
from routing.models import Model, Pool, Provider, Route, Upstream
from smartoken import home
from tests.browser.conftest import STATIC_FILES
from tests.browser.inspection import PICTURES, Inspector
from tests.pages.every_page import ANYONE, PAGES, Place, make_place, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings(STATIC_FILES)]


@pytest.fixture(autouse=True)
def books_are_right(transactional_db):
    """Not here: the rows are written by hand, without the holds behind them."""


@pytest.fixture(scope="module")
def place(gateway) -> Place:
    return make_place()


@pytest.fixture
def inspector_of(browser, site, place):
    """Make the inspector of a person's browser."""
    contexts = []

    def make(person: str) -> Inspector:
        context = browser.new_context(base_url=site.url, reduced_motion="reduce")
        contexts.append(context)
        if user := place.people[person]:
            cookie = sign_in(user).cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": cookie, "url": site.url}])
        return Inspector(context, site.url)

    yield make
    for context in contexts:
        context.close()


def paths_of(place: Place, person: str) -> dict[str, str]:
    """Where this person's pages are: a visitor looks at what is open to anybody, the owner at the rest."""
    names = {
        "visitor": [name for name, page in PAGES.items() if page.expected[0] == 200],
        "owner": [name for name, page in PAGES.items() if page.expected[2] == 200 and page.expected != ANYONE],
    }
    user = place.people[person]
    client = sign_in(user) if user else Client()
    paths = {name: reverse(name, kwargs=place.arguments_of(PAGES[name])) for name in names[person]}
    return {name: path for name, path in paths.items() if "text/html" in client.get(path)["content-type"]}


@pytest.mark.parametrize("person", ["visitor", "owner"])
def test_each_page_is_sound(inspector_of, place, person):
    PICTURES.mkdir(parents=True, exist_ok=True)
    inspector, wrong = inspector_of(person), []
    for name, path in paths_of(place, person).items():
        wrong += inspector.inspect(name, path)
    assert "\n".join(wrong) == ""


EMPTY = ["dashboard", "keys", "usage", "wallet", "receipts", "statements", "statement", "audit", "playground"]


def test_empty_pages_are_sound(inspector_of, place):
    inspector, wrong = inspector_of("stranger"), []
    for name in EMPTY:
        path = reverse(name, kwargs=place.arguments_of(PAGES[name]))
        wrong += inspector.inspect(f"empty-{name}", path)
    assert "\n".join(wrong) == ""


def test_all_model_pages_fit(inspector_of):
    inspector = inspector_of("visitor")
    found = [inspector.measure(f"/models/{family.slug}/", width) for family in load_families() for width in (360, 1440)]
    assert len(found) == 34
    assert [words for words in found if words] == []


ADMIN_LISTS = [
    "billing_usagerecord",
    "billing_ledgerentry",
    "routing_pool",
    "routing_upstream",
    "accounts_managementkey",
]
ADMIN_FORMS = ["routing_upstream_add", "billing_price_add", "accounts_invitation_add"]
ADMIN_ROWS = [UsageRecord, LedgerEntry, Pool, Upstream, Model, Organization]


def admin_paths(place: Place) -> list[str]:
    """Lists, forms and rows of each kind, a pool with a route among them."""
    upstream = Upstream.objects.create(
        slug="zebra", provider=Provider.objects.all()[0], base_url="https://z.example.com"
    )
    Route.objects.create(pool=Pool.objects.order_by("pk")[0], upstream=upstream, upstream_model="z")
    rows = [(model._meta.label_lower.replace(".", "_"), model.objects.order_by("pk")[0].pk) for model in ADMIN_ROWS]
    return [
        reverse("admin:index"),
        *(reverse(f"admin:{name}_changelist") for name in ADMIN_LISTS),
        *(reverse(f"admin:{name}") for name in ADMIN_FORMS),
        *(reverse(f"admin:{name}_change", args=[pk]) for name, pk in rows),
    ]


def test_the_admin_has_no_barriers(inspector_of, place, settings):
    settings.ADMIN_SECOND_FACTOR = False
    User.objects.filter(pk=place.people["stranger"].pk).update(is_staff=True, is_superuser=True)
    inspector = inspector_of("stranger")
    found = {path: inspector.find_barriers(path) for path in admin_paths(place)}
    User.objects.filter(pk=place.people["stranger"].pk).update(is_staff=False, is_superuser=False)
    Upstream.objects.filter(slug="zebra").delete()
    assert {path: barriers for path, barriers in found.items() if barriers} == {}


def test_error_pages_are_sound(inspector_of, place, monkeypatch):
    PICTURES.mkdir(parents=True, exist_ok=True)
    visitor = inspector_of("visitor")
    wrong = visitor.inspect("not-found", "/nothing/here/", status=404)
    wrong += inspector_of("member").inspect("closed", reverse("wallet"), status=403)
    wrong += visitor.inspect("not-understood", "/?%00", status=400)
    monkeypatch.setattr(ratelimit, "consume", lambda *args, **options: None)
    wrong += visitor.inspect("too-often", reverse("account_login"), status=429)
    monkeypatch.setattr(home, "list_rows", None)
    wrong += visitor.inspect("broken", "/", status=500)
    assert "\n".join(wrong) == ""
