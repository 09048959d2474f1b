"""What the calculator of prices asks."""

from django import forms

MOST_INPUT, MOST_OUTPUT, MOST_REQUESTS = 10_000_000, 1_000_000, 1_000_000_000


class WorkloadForm(forms.Form):
    """A workload, from the address: tokens of one request, the share of its input that is cached, requests a day."""

    input = forms.IntegerField(label="Input tokens", min_value=0, max_value=MOST_INPUT, initial=1_000)
    cached = forms.IntegerField(label="Of these cached, %", min_value=0, max_value=100, initial=0)
    output = forms.IntegerField(label="Output tokens", min_value=0, max_value=MOST_OUTPUT, initial=500)
    requests = forms.IntegerField(label="Requests a day", min_value=1, max_value=MOST_REQUESTS, initial=1_000)
