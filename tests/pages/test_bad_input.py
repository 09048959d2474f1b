"""Every form of the site against input that makes no sense: it says at the field what is wrong, keeps the rest."""

import pytest
from django.forms import BaseForm
from django.urls import resolve

from tests.pages.bad_input import BAD, find_forms, send
from tests.pages.every_page import PAGES, Place, make_place

pytestmark = pytest.mark.slow


@pytest.fixture
def place(catalogue, settings) -> Place:
    settings.PASSWORD_HASHERS = ["tests.pages.bad_input.QuickHasher"]
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_1234567890", "whsec_1234567890"
    settings.SECURE = True  # where passkeys are offered
    return make_place()


@pytest.mark.parametrize("kind", BAD)
def test_a_form_refuses_in_words(place, kind):
    value = BAD[kind].replace("{stranger}", str(place.people["stranger"].memberships.get().organization_id))
    problems = [
        f"{found}: {name}: {problem}"
        for found in find_forms(place)
        for name, control in found.form.controls.items()
        if name != "csrfmiddlewaretoken"
        for problem in send(found, control, value)
    ]
    assert "\n".join(problems) == ""


NO_PAGE_SENDS = {
    "playground_run": "the Playground's script, as JSON",
    "playground_call": "the Playground's script, as JSON",
    "playground_history_save": "the Playground's script, as JSON",
    "mfa_login_webauthn": "the script of the sign-in page",
}
"""Addresses that take what a script sends: the tests below, and those of passkeys, send them what makes no sense."""


def test_no_form_is_forgotten(place, monkeypatch):
    """A form of the project that no page of ``find_forms`` shows needs a state in ``form_states``."""
    checked = set()

    def note(form):
        checked.add(type(form))
        full_clean(form)

    full_clean = BaseForm.full_clean
    monkeypatch.setattr(BaseForm, "full_clean", note)
    forms = find_forms(place)
    for found in forms:
        name = next(iter(found.form.controls), None)
        if name:
            send(found, found.form.controls[name], "x")
    sent_to = {resolve(found.form.path).url_name for found in forms}
    takes_posts = {name for name, page in PAGES.items() if 405 in page.expected} - {"stripe_webhook"}
    assert takes_posts - sent_to - set(NO_PAGE_SENDS) == set()
    assert [form.__qualname__ for form in own_forms() if form not in checked] == []


ELSEWHERE = ("admin", "books", "movements", "styleguide")
"""The admin's forms, which its own tests open, and an exhibition."""


def own_forms():
    """Yield the forms that the project's pages define."""
    waiting = [BaseForm]
    while waiting:
        form = waiting.pop()
        waiting += form.__subclasses__()
        package, _, module = form.__module__.partition(".")
        is_ours = package in ("accounts", "billing", "playground", "smartoken")
        if is_ours and not set(module.split(".")) & set(ELSEWHERE) and not form.__subclasses__():
            yield form
