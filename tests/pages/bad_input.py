"""Input that makes no sense, for every form of the site, and what a form must then do.

Forms are found on the pages that ``every_page`` lists and in the states of ``form_states``; a form
that is added is found there too, and tells what it lacks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve, reverse, reverse_lazy

from accounts import attempts
from tests.pages.every_page import PAGES, PASSWORD, Place, sign_in
from tests.pages.form_states import states
from tests.pages.page_forms import Control, PageForm, PageReader

SCRIPT = "<script>alert(1)</script>"
BAD = {
    "empty": "",
    "too long": "x" * 20_000,
    "a NUL": "a\0b",
    "negative": "-1",
    "zero": "0",
    "huge": "1" + "0" * 30,
    "not a number": "NaN",
    "no choice": "nobody-offers-this",
    "somebody else's id": "{stranger}",
    "HTML": SCRIPT,
}
NUMBERS = ("zero", "somebody else's id")
"""What may be right where a number is asked for."""

RIGHT = {
    "code": "123456",
    "email": "new@example.com",
    "login": "zebra-owner@example.com",
    "name": "A name",
    "oldpassword": PASSWORD,
    "password": PASSWORD,
    "password1": "a pass phrase nobody guesses",
    "password2": "a pass phrase nobody guesses",
    "credential": "{}",
    "usd": "20",
}
"""What stands in the other fields, where the page fills in nothing."""

SAYS_NOTHING = (reverse_lazy("account_email"),)
"""Pages of allauth that show themselves again where somebody sends a choice that they didn't offer."""

TABLES = ("accounts", "billing", "playground", "mfa", "account")


class QuickHasher(PBKDF2PasswordHasher):
    """As good as ``make_place`` has it: a password that is checked is not written anew."""

    iterations = 1

    def must_update(self, encoded: str) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Found:
    """A form, the page it stands on and whose browser shows it."""

    browser: Client
    page: str
    form: PageForm

    def __str__(self) -> str:
        return f"{self.form.method} {self.form.path} ({', '.join(self.form.controls)}) on {self.page}"


def find_forms(place: Place) -> list[Found]:
    """Return each form of the site once."""
    found: dict[Any, Found] = {}
    for browser, path in [*_pages(place), *states(place)]:
        cache.clear()
        response = browser.get(path)
        if "text/html" not in response.get("Content-Type", ""):
            continue
        for form in PageReader(response.content.decode(), path).forms:
            found.setdefault((resolve(form.path).view_name, form.mark), Found(browser, path, form))
    return list(found.values())


def _pages(place: Place) -> Iterator[tuple[Client, str]]:
    """Yield every page once: as a visitor where anybody may see it, else as the owner, else as a member."""
    users = [place.people[person] for person in ("visitor", "owner", "member")]
    browsers = [sign_in(user) if user else Client() for user in users]
    for name, page in PAGES.items():
        if name == "styleguide":  # shows forms that nobody reads
            continue
        seen = [browser for browser, seat in zip(browsers, (0, 2, 1), strict=True) if page.expected[seat] == 200]
        for browser in seen[:1]:
            yield browser, reverse(name, kwargs=place.arguments_of(page))


# --- sending ------------------------------------------------------------------


def send(found: Found, control: Control, value: str) -> list[str]:
    """Send the form with this one value wrong; return what is wrong with the answer, in words."""
    cache.clear()
    attempts.forget_attempts()
    browser = Client(raise_request_exception=False)
    browser.cookies = found.browser.cookies.copy()
    sent = _fill_in(found.form) | {control.name: value}
    with transaction.atomic():
        before = _read_rows()
        response = getattr(browser, found.form.method)(found.form.path, sent)
        is_unchanged = _read_rows() == before
        problems = list(_judge(found.form, control, sent, response, browser, is_unchanged))
        transaction.set_rollback(True)
    return problems


def _fill_in(form: PageForm) -> dict[str, str]:
    """Return what somebody sends who does everything right, and presses the first button."""
    buttons = [control for control in form.controls.values() if control.tag == "button"]
    filled = {control.name: control.value for control in buttons[:1]}
    for name, control in form.controls.items():
        if control.tag == "button" or (control.kind == "checkbox" and not control.value):
            continue
        filled[name] = control.value or (RIGHT.get(name.rpartition("-")[2], "") if control.is_typed else control.value)
        if not filled[name] and control.choices:
            filled[name] = control.choices[0]
        elif not filled[name] and control.is_required:
            raise AssertionError(f"{name} of {form.path} is required: say in RIGHT what is right there")
    filled.pop("csrfmiddlewaretoken", None)
    return filled


def _read_rows() -> dict[str, list[Any]]:
    models = [model for name in TABLES for model in apps.get_app_config(name).get_models()]
    return {model._meta.label: sorted(model.objects.values_list(), key=repr) for model in models}


def must_refuse(control: Control, kind: str) -> bool:
    """Tell whether this is wrong for such a field, whatever it means."""
    if kind == "empty":
        return control.is_required
    if control.is_number:
        return kind not in NUMBERS
    if control.kind == "email":
        return True
    if control.is_typed:
        return kind == "a NUL" or (kind == "too long" and control.kind != "password")
    return control.kind in ("select", "radio") or (control.kind == "checkbox" and len(control.choices) > 1)


def _judge(
    form: PageForm, control: Control, sent: dict[str, str], response: HttpResponse, browser: Client, is_unchanged: bool
) -> Iterator[str]:
    kind = next(name for name, value in BAD.items() if value == sent[control.name] or "{" in value)
    if response.status_code >= 500:
        yield f"status {response.status_code}"
        return
    if response.status_code in (301, 302, 303, 307):
        yield from _judge_way(response)
    html = _follow(browser, response)
    if SCRIPT in html:
        yield "shows the HTML as it was sent"
    reader = PageReader(html, form.path)
    same = reader.find(form)
    wrong = [each for each in (same.controls.values() if same else ()) if each.attributes.get("aria-invalid") == "true"]
    for each in wrong:
        if not any(letter.isalpha() for letter in reader.explain(each)):
            yield f"{each.name} is marked as wrong, and nothing says why"
    if not must_refuse(control, kind):
        return
    if form.method == "post" and not is_unchanged:
        yield "writes"
    if not control.is_typed:
        is_told = wrong or "notice bad" in html or response.status_code >= 400
        if form.method == "post" and not is_told and form.path not in SAYS_NOTHING:
            yield "says nothing of a choice that isn't offered"
        return
    if response.status_code not in (200, 400, 422):
        yield f"answers {response.status_code}"
    elif form.method == "get" and (not control.is_number or response.status_code == 400):
        return  # what is looked for may be anything, and an address with a NUL is refused as a whole
    elif not same or control.name not in [each.name for each in wrong]:
        yield "does not say at the field what is wrong"
    else:
        yield from _judge_kept(same, sent)


def _judge_way(response: HttpResponse) -> Iterator[str]:
    if urlsplit(response.headers["Location"]).netloc:
        yield f"leads to {response.headers['Location'][:60]}"


def _follow(browser: Client, response: HttpResponse) -> str:
    for _ in range(3):
        if response.status_code not in (301, 302, 303):
            break
        response = browser.get(response.headers["Location"])
    return response.content.decode(errors="replace")


def _judge_kept(form: PageForm, sent: dict[str, str]) -> Iterator[str]:
    """Yield which fields lost what was typed; passwords are never sent back."""
    for name, control in form.controls.items():
        if control.is_typed and control.kind != "password" and name in sent and control.value != sent[name]:
            yield f"{name} lost what was typed: {control.value[:40]!r}"
