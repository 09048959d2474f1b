"""Every component once, in its real markup: /styleguide/."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.attempts import Attempt
from billing.charts import Chart, Series
from billing.money import NANOS
from playground.samples import render_samples
from smartoken.templatetags.icons import FOLDER

COLOURS = {
    "paper": "the page",
    "raised": "what lies on it",
    "sunken": "what lies below it",
    "ink": "text",
    "soft": "text that may be passed over",
    "line": "hairlines",
    "edge": "outlines of controls",
    "accent": "the one accent",
    "accent-soft": "behind what is chosen",
    "ok": "it went well",
    "warn": "look at it",
    "bad": "it failed",
}
SPACES = {"s1": 4, "s2": 8, "s3": 12, "s4": 16, "s5": 24, "s6": 32, "s7": 48, "s8": 80}
ROUTES = [
    {"name": "DeepSeek", "note": "priority 1 · weight 70", "figure": "429 after 40 ms", "state": "broken"},
    {"name": "Your own server", "note": "priority 1 · weight 30", "figure": "812 ms", "state": "taken"},
    {"name": "An aggregator", "note": "priority 2"},
]


SECTIONS = {
    "tokens": "Colours and space",
    "type": "Type",
    "icons": "Icons",
    "buttons": "Buttons and menus",
    "fields": "Fields",
    "tables": "Tables",
    "tabs": "Tabs",
    "code": "Code",
    "badges": "Badges",
    "meters": "Meters",
    "figures": "Figures and steps",
    "charts": "Charts",
    "timeline": "Timeline",
    "notices": "Notices and empty states",
    "dialogs": "Dialogs",
    "questions": "Questions",
    "path": "The path of a request",
}
"""Each component's template in templates/smartoken/styleguide/, and what it is called."""


CHART = Chart(
    measure="usd",
    unit="day",
    labels=[f"{day} Nov" for day in range(1, 15)],
    series=[
        Series(1, "deepseek", [day % 4 * NANOS for day in range(14)], "$19.00"),
        Series(2, "kimi", [day % 3 * NANOS // 2 for day in range(14)], "$6.50"),
    ],
    rows=[("13 Nov", ["$0.00", "$0.00"], "$0.00"), ("14 Nov", ["$1.00", "$0.50"], "$1.50")],
)
ATTEMPTS = [
    Attempt("DeepSeek · deepseek-api", "failed", "it takes no more requests at the moment", 429, 2, 40, ""),
    Attempt("Aggregator · other", "skipped", "resting after failures", None, None, None, ""),
    Attempt("Your own server · local", "answered", "", 200, 44, 812, "req_7"),
]


class ExampleForm(forms.Form):
    name = forms.CharField(max_length=40, help_text="Shown in lists and statements.")
    budget = forms.DecimalField(label="Daily budget in USD", required=False, min_value=0)
    model = forms.ChoiceField(choices=[("deepseek", "DeepSeek"), ("kimi", "Kimi")])
    text = forms.CharField(label="Message", widget=forms.Textarea({"rows": 3}))
    families = forms.MultipleChoiceField(
        choices=[("deepseek", "DeepSeek"), ("kimi", "Kimi"), ("qwen", "Qwen")],
        widget=forms.CheckboxSelectMultiple,
        help_text="None: all families.",
    )
    stream = forms.BooleanField(label="Stream the answer", required=False)


FILLED_IN = {
    "name": "nightly evaluations",
    "budget": "-5",
    "model": "kimi",
    "text": "What is a route pool?",
    "families": ["kimi"],
    "stream": "on",
}


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    context: dict[str, Any] = {
        "sections": SECTIONS.items(),
        "colours": COLOURS.items(),
        "spaces": SPACES.items(),
        "icons": sorted(path.stem for path in FOLDER.glob("*.svg")),
        "form": ExampleForm(FILLED_IN, auto_id="guide-%s"),
        "meters": [(NANOS, 0, 5 * NANOS), (3 * NANOS, NANOS, 5 * NANOS), (5 * NANOS, 0, 5 * NANOS)],
        "samples": render_samples(model="deepseek", base_url=settings.SMARTOKEN_URL),
        "routes": ROUTES,
        "chart": CHART,
        "attempts": ATTEMPTS,
    }
    return render(request, "smartoken/styleguide.html", context)
