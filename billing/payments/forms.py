"""What people write to add credit."""

from django import forms


class RedeemForm(forms.Form):
    code = forms.CharField(
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false", "class": "mono"}
        ),
        help_text="Capitals and dashes don't matter.",
        error_messages={"required": "Write the code you were given."},
    )
