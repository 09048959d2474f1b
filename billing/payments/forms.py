"""What people write to add credit."""

import re

from django import forms

from billing import money
from billing.payments import orders

THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")


class PayForm(forms.Form):
    """How much credit to buy; its value is in nano-dollars."""

    usd = forms.CharField(
        label="Amount in USD",
        max_length=30,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "20"}),
        help_text=f"From ${orders.MIN_CENTS // 100:,} to ${orders.MAX_CENTS // 100:,}.",
        error_messages={"required": "Write how much credit to buy."},
    )

    def clean_usd(self) -> int:
        text = self.cleaned_data["usd"].strip().removeprefix("$")
        if THOUSANDS.fullmatch(text):  # any other comma may be meant as a point
            text = text.replace(",", "")
        try:
            nanos = money.parse_usd(text)
            orders.read_cents(nanos)
        except money.AmountError as error:
            raise forms.ValidationError(f"{error}.") from None
        except orders.OrderError as error:
            raise forms.ValidationError(str(error)) from None
        return nanos


class RedeemForm(forms.Form):
    code = forms.CharField(
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false", "class": "mono"}
        ),
        help_text="Capitals and dashes don't matter.",
        error_messages={"required": "Write the code you were given."},
    )
