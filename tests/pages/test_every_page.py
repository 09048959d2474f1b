"""Each named page as visitor, member, owner and stranger: its status, and nobody else's rows."""

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from tests.pages.every_page import PAGES, PEOPLE, Place, list_names, make_place, sign_in

LEADS_TO = ("/accounts/login/", "/admin/login/", "/admin/")  # signing out leads to the first page, which asks again

WRITES = ("INSERT", "UPDATE", "DELETE")
CHALLENGES = ("mfa_activate_totp", "mfa_add_webauthn", "mfa_reauthenticate_webauthn")
"""Pages that ask for proof of what they gave: it waits in the session."""


@pytest.fixture
def place(catalogue) -> Place:
    return make_place()


def browser_of(place: Place, person: str) -> Client:
    user = place.people[person]
    return sign_in(user) if user else Client(raise_request_exception=False)


def address(place: Place, name: str) -> str:
    return reverse(name, kwargs=place.arguments_of(PAGES[name]))


def get(client: Client, path: str, **headers: str) -> tuple[int, str]:
    """Fetch a page as an ASGI server sends it, streamed or not; return status and text."""

    async def read():
        browser = AsyncClient(raise_request_exception=False)
        browser.cookies = client.cookies
        response = await browser.get(path, headers=headers)
        if response.streaming:
            return response.status_code, b"".join([part async for part in response.streaming_content])
        return response.status_code, response.content

    status, body = async_to_sync(read)()
    return status, body.decode()


def test_every_named_page_is_listed():
    assert {name for name, _ in list_names()} == set(PAGES)


@pytest.mark.parametrize("person", PEOPLE)
def test_each_page_has_its_status(place, person):
    client, seat = browser_of(place, person), PEOPLE.index(person)
    found = {name: get(client, address(place, name))[0] for name in PAGES}
    wrong = {
        name: f"{status}, not {PAGES[name].expected[seat]}"
        for name, status in found.items()
        if status != PAGES[name].expected[seat]
    }
    assert wrong == {}


@pytest.mark.parametrize("person", ["visitor", "owner"])
def test_who_looks_at_a_page_writes_nothing(place, person):
    """SQLite has one place to write, which requests need. What a first look makes (a wallet) is there afterwards."""
    client, seat = browser_of(place, person), PEOPLE.index(person)
    names = [name for name, page in PAGES.items() if page.expected[seat] == 200 and name not in CHALLENGES]
    paths = {name: address(place, name) for name in names}
    if person != "visitor":
        client.get(paths["playground"])
    wrote: dict[str, list[str]] = {}
    for name, path in paths.items():
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        wrote[name] = [query["sql"][:120] for query in queries if query["sql"].startswith(WRITES)]
    assert {name: found for name, found in wrote.items() if found} == {}


def test_the_owner_sees_the_rows(place):
    """Without this the next tests could pass because nothing is shown to anybody."""
    client = browser_of(place, "owner")
    shown = "".join(get(client, address(place, name))[1] for name in PAGES)
    assert [mark for mark in place.marks if mark not in shown] == []


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "part"])
@pytest.mark.parametrize("person", ["visitor", "stranger"])
def test_a_stranger_sees_no_row_of_the_organization(place, person, headers):
    client = browser_of(place, person)
    pages = {name: get(client, address(place, name), **headers)[1] for name in PAGES}
    # In the address they asked for, and in what leads back to it, they know it already.
    known = set(place.arguments.values())
    marks = [mark for mark in place.marks if mark not in known]
    assert [(name, mark) for name, html in pages.items() for mark in marks if mark in html] == []


def test_a_member_sees_no_row_of_the_owner(place):
    client = browser_of(place, "member")
    pages = {name: get(client, address(place, name))[1] for name in PAGES}
    marks = [mark for mark in place.owners_marks if mark not in place.arguments.values()]
    assert [(name, mark) for name, html in pages.items() for mark in marks if mark in html] == []


@pytest.mark.parametrize("person", ["visitor", "member", "stranger"])
def test_nobody_else_changes_a_row(place, person):
    client = browser_of(place, person)
    names = [name for name, page in PAGES.items() if set(page.arguments.values()) & set(place.arguments)]
    allowed = {302} if person == "visitor" else {403, 404, 405}
    answers = {name: client.post(address(place, name), {"name": "taken"}) for name in names}
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code not in allowed} == {}
    if person == "visitor":
        assert all("/accounts/login/" in answer.url for answer in answers.values())


def test_nothing_keeps_what_is_drawn_for_a_person(place):
    """A shared cache on the way, or a browser's "back" after signing out."""
    client, kept = browser_of(place, "owner"), []
    for name, page in PAGES.items():
        if page.expected[2] == 200 and not name.startswith("api_"):
            response = client.get(address(place, name))
            kept += [name] if "no-store" not in response.headers.get("Cache-Control", "") else []
    assert kept == []


@pytest.mark.parametrize("person", ["visitor", "owner"])
def test_the_admin_is_for_staff(place, person):
    client, seen = browser_of(place, person), 0
    for name, arguments in list_names("admin"):
        try:
            path = reverse(f"admin:{name}", kwargs=arguments)
        except NoReverseMatch:  # its parts are no numbers: the admin's own look-ups
            continue
        response, seen = client.get(path), seen + 1
        assert response.status_code in {302, 403, 404}, path
        assert response.status_code != 302 or response.url.startswith(LEADS_TO), path
    assert seen > 50
