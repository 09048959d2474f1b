"""Our own template of a select writes what Django's does."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.test.testcases import assert_and_parse_html

CHOICES = [
    ("", "any"),
    ("Groups", [("a", "A & <b>"), (3, "three")]),
    (None, "nothing"),
    ('q"', "quoted"),
]


class WithNotes(forms.Select):
    def create_option(self, *args, **options):
        return super().create_option(*args, **options) | {"attrs": {"disabled": True, "hidden": False, "data-n": 'x"'}}


def parse(html: str):
    return assert_and_parse_html(None, html, None, "not HTML")


@pytest.mark.parametrize("widget", [forms.Select, forms.SelectMultiple, WithNotes])
@pytest.mark.parametrize("value", ["", "a", 3, None])
def test_it_is_djangos(widget, value):
    control = widget(choices=CHOICES, attrs={"id": "one", "required": True})
    values = [value] if widget is forms.SelectMultiple else value
    renderers = (forms.renderers.get_default_renderer(), DjangoTemplates())
    ours, djangos = (control.render("one", values, renderer=renderer) for renderer in renderers)
    assert parse(ours) == parse(djangos)
    assert "#}" not in ours
